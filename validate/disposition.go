package validate

import (
	"mime"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// A disposition is the checked header of a part.
type disposition struct {
	name   string
	file   string
	isFile bool
	length int64 // of the Content-Length; -1 means none
}

const invalidHeader = "has a part with an invalid header"

// readDisposition checks the header of the current part. It refuses transfer
// encodings, which RFC 7578, section 4.7, deprecates.
func (s *stream) readDisposition() (disposition, error) {
	h, lines := s.part.Header, 0
	for _, values := range h {
		lines += len(values)
	}
	if lines > headers {
		return disposition{}, bodyRefusal(ErrInputTooLarge, "a part of the form must have at most "+strconv.Itoa(headers)+" header lines")
	}
	if len(h["Content-Disposition"]) != 1 || len(h["Content-Type"]) > 1 || len(h["Content-Length"]) > 1 || !unencoded(h) {
		return disposition{}, malformedForm(invalidHeader)
	}
	d, problem := parseDisposition(h.Get("Content-Disposition"))
	if problem != "" {
		return disposition{}, malformedForm(problem)
	}
	if media, _, _ := parseMediaType(h.Get("Content-Type")); strings.HasPrefix(media, "multipart/") {
		return disposition{}, malformedForm("must not contain another form")
	}
	d.length = -1
	if length := h["Content-Length"]; length != nil { // OkHttp sends it
		n, err := strconv.ParseInt(length[0], 10, 64)
		if err != nil || !wholeNumber.MatchString(length[0]) || n < 0 {
			return disposition{}, malformedForm(invalidHeader)
		}
		d.length = n
	}
	return d, nil
}

// checkLength compares the length of a part with its Content-Length.
func (d *disposition) checkLength(n int64) error {
	if d.length >= 0 && d.length != n {
		return malformedForm("has a part that is not as long as its Content-Length")
	}
	return nil
}

func unencoded(h textproto.MIMEHeader) bool {
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
		return len(codings(h)) == 0 && len(h["Content-Transfer-Encoding"]) < 2
	}
	return false
}

// parseDisposition parses the Content-Disposition of a part of a form. The problem is
// empty if there is none. RFC 7578, section 4.2, forbids filename*, which HttpClient of
// .NET sends in addition to filename. It is accepted if both names are equal, because
// mime prefers filename* and other parsers filename.
func parseDisposition(header string) (d disposition, problem string) {
	plain, encoded, n, problem := splitEncoded(header)
	if problem != "" {
		return d, problem
	}
	media, params, err := mime.ParseMediaType(plain)
	d.name = params["name"]
	d.file, d.isFile = params["filename"]
	switch {
	case err != nil || media != "form-data" || d.name == "" || !isCleanText(d.name) || len(params) != n || n > 2 || n == 2 && !d.isFile:
		return d, invalidHeader
	case encoded == "":
		return d, ""
	case !d.isFile:
		return d, "must send a file name as filename, not only as filename*"
	}
	same, ok := decodeExtended(encoded)
	if name, isWord := decodeWord(d.file); isWord {
		d.file = name
	}
	if !ok || same != d.file {
		return d, "has a part whose filename and filename* differ"
	}
	return d, ""
}

// splitEncoded removes filename* from a header, which mime would merge into
// filename, and counts the other parameters. Any other parameter with an
// asterisk is refused: it is encoded, or a part of a continued parameter (RFC 2231,
// section 3), which only some parsers join.
func splitEncoded(header string) (plain, encoded string, n int, problem string) {
	plain, rest, more := cutParam(header)
	for more {
		var param string
		param, rest, more = cutParam(rest)
		name, value, _ := strings.Cut(param, "=")
		switch {
		case param == "":
			continue
		case !strings.Contains(name, "*"):
			plain += "; " + param
			n++
		case strings.EqualFold(trimBlanks(name), "filename*") && encoded == "" && value != "":
			encoded = trimBlanks(value)
		default:
			return "", "", 0, "has a part with a parameter that is encoded or continued"
		}
	}
	return plain, encoded, n, ""
}

// decodeExtended decodes a value of RFC 8187, section 3.2.1, in UTF-8.
func decodeExtended(s string) (string, bool) {
	charset, rest, _ := strings.Cut(s, "'")
	_, value, ok := strings.Cut(rest, "'")
	if !ok || !isUTF8(charset) || !escaped(value) {
		return "", false
	}
	for _, b := range []byte(value) {
		if !letter(b) && !digit(b) && strings.IndexByte("!#$&+-.^_`|~%", b) < 0 {
			return "", false
		}
	}
	decoded, err := url.PathUnescape(value)
	return decoded, err == nil
}

// decodeWord decodes an encoded word of RFC 2047, which .NET sends as filename if the
// name is not ASCII. An allowed plain name does not look like one, because it has no
// "?".
func decodeWord(s string) (string, bool) {
	if !strings.HasPrefix(s, "=?") {
		return "", false
	}
	decoded, err := new(mime.WordDecoder).Decode(s)
	return decoded, err == nil
}
