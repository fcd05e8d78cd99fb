package validate

import (
	"io"
	"mime"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ringwall/ringwall/errors"
)

// A File is the file of a multipart form (RFC 7578). The handler reads it while it
// arrives: it is never stored in memory or on disk as a whole. A T has at most one
// File, of at most Limits.File bytes. The tag types lists its media types.
//
//	type NewPicture struct {
//		ID   string        `path:"id" validate:"required,len=26,alphanum"`
//		Alt  string        `form:"alt" validate:"max=200"`
//		File validate.File `form:"picture" types:"image/png image/jpeg" validate:"required"`
//	}
//
// The file is the last part of the form, so that all other fields are checked
// before the handler runs. The file itself is checked only when it has been read to
// its end: the handler must not use its contents before Read has returned io.EOF.
type File struct {
	// Name is the file name that the client sent. It is for display, not for
	// opening files. It contains no path, no control characters, no device name
	// and no executable extension. It is empty if no file was sent.
	Name string
	// Type is the media type, one of the tag types. The first bytes of the file
	// match it, unless it is application/octet-stream.
	Type string

	stream *stream
}

// Sent reports whether the client sent a file.
func (f *File) Sent() bool { return f.stream != nil }

// Read reads the file while it arrives. It returns io.EOF when the form has ended
// correctly. The handler must respond with its other errors: [ErrInputTooLarge] above
// Limits.File, [ErrBodyTimeout], [ErrMalformed] for a truncated form, [ErrInvalid]
// for parts after the file, and errors.ErrCanceled for a client that has
// disconnected.
func (f *File) Read(b []byte) (int, error) {
	if f.stream == nil {
		return 0, io.EOF
	}
	return f.stream.readFile(b)
}

var fileType = reflect.TypeFor[File]()

// sniffed are the media types that http.DetectContentType recognizes (MIME Sniffing,
// section 7), so that a File can be checked.
var sniffed = []string{
	"application/pdf", "application/x-gzip", "application/zip", "audio/aiff", "audio/midi", "audio/mpeg", "audio/wave", "font/otf", "font/ttf",
	"font/woff", "font/woff2", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp", "image/x-icon", "text/plain", "video/avi",
	"video/mp4", "video/webm",
}

// anything is the type of files whose first bytes are not checked.
const anything = "application/octet-stream"

// looksLike reports whether the first bytes of a file match a media type.
func looksLike(head []byte, media string) bool {
	found, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	return media == anything || found == media && (media != "text/plain" || textual(head))
}

// textual accepts UTF-8 without control characters except tab, newline and return. The
// last rune may be incomplete.
func textual(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && len(head) >= utf8.UTFMax || isTextControl(r) {
			return false
		}
		head = head[n:]
	}
	return true
}

// Extensions that a server or a desktop may execute, and names that are devices on
// Windows (CVE-2023-45284).
var (
	executable = []string{
		"asp", "aspx", "bat", "cgi", "cmd", "com", "exe", "hta", "htm", "html", "jar", "js", "jsp", "jspx", "lnk", "mjs", "msi", "phar", "php", "php3",
		"php4", "php5", "php7", "pht", "phtml", "pl", "ps1", "py", "rb", "scr", "sh", "shtml", "svg", "vbs", "wsf", "xhtml", "xml",
	}
	devices = []string{"aux", "con", "nul", "prn"}
)

// plainName reports whether a file name is harmless in every place.
func plainName(name string) bool {
	if len(name) > 255 || !isCleanText(name) || strings.ContainsAny(name, `/\:*?"<>|`) || strings.HasPrefix(name, ".") || strings.TrimRight(name, ". ") != name ||
		strings.TrimLeft(name, " ") != name {
		return false
	}
	parts := strings.Split(strings.ToLower(name), ".")
	base := strings.TrimRight(parts[0], " ")
	if slices.Contains(devices, base) || len(base) == 4 && (base[:3] == "com" || base[:3] == "lpt") && digit(base[3]) {
		return false
	}
	return !slices.ContainsFunc(parts[1:], func(extension string) bool { return slices.Contains(executable, extension) })
}

// fileParam compiles the field of a file.
func (l *linter) fileParam(sf reflect.StructField, where, source string) []string {
	types := strings.Fields(sf.Tag.Get("types"))
	switch tag := sf.Tag.Get("validate"); {
	case source != "form":
		l.problem(where, "a File comes from a form; did you mean the tag `form`?")
	case l.c.limits.File == 0:
		l.problem(where, "a File needs Limits.File, which is 0")
	case tag != "" && tag != "required":
		l.problem(where, "a File accepts only the rule required")
	case len(types) == 0:
		l.problem(where, "has no media types; did you mean `types:\"image/png image/jpeg\"`?")
	}
	for _, media := range types {
		if media != anything && !slices.Contains(sniffed, media) {
			l.problem(where, "files of the type "+media+" cannot be recognized; did you mean "+anything+" and a check of your own?")
		}
	}
	return types
}

// newFile reads the head of a part that is a file.
func (s *stream) newFile(p *param, name string) (File, error) {
	refuse := func(code, text string) (File, error) {
		at := place{source: p.source, name: p.name}
		return File{}, newRefusal(ErrInvalid, at.String(), at.pointer(), code, text)
	}
	if !plainName(name) {
		return refuse("file_name", "has a file name that is not allowed")
	}
	media, ok := p.headerType(s.part.Header["Content-Type"])
	if !ok {
		return refuse("file_type", "must be a file of one of: "+strings.Join(p.types, ", "))
	}
	if err := s.readHead(); err != nil {
		return File{}, err
	}
	if media == "" {
		media = p.defaultType(s.head)
	}
	if !looksLike(s.head, media) {
		return refuse("file_type", "does not match its media type")
	}
	return File{Name: path.Base(name), Type: media, stream: s}, nil
}

// readHead reads the first bytes of a file. io.ReadFull would report a truncated body as
// a short file.
func (s *stream) readHead() error {
	s.head = make([]byte, 0, 512)
	for len(s.head) < cap(s.head) {
		n, err := s.source.Read(s.head[len(s.head):cap(s.head)])
		s.head = s.head[:len(s.head)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.clientError(err)
		}
	}
	return nil
}

// headerType returns the media type of a part's Content-Type, which must be one
// of the field's, or "" if there is no Content-Type.
func (p *param) headerType(header []string) (string, bool) {
	if len(header) == 0 {
		return "", true
	}
	media, params, ok := parseMediaType(header[0])
	return media, ok && slices.Contains(p.types, media) && (len(params) == 0 || isUTF8(params["charset"]))
}

// defaultType returns the media type of a file without a Content-Type:
// application/octet-stream if the field lists it, otherwise text/plain, the
// default of RFC 7578, section 4.4, otherwise the listed type that its first bytes
// match.
func (p *param) defaultType(head []byte) string {
	for _, media := range []string{anything, "text/plain"} {
		if slices.Contains(p.types, media) {
			return media
		}
	}
	i := slices.IndexFunc(p.types, func(media string) bool { return looksLike(head, media) })
	return p.types[max(i, 0)]
}

// readFile returns the bytes that newFile has read, then the rest of the part. Then it
// checks the end of the form.
func (s *stream) readFile(b []byte) (int, error) {
	if s.err != nil || len(b) == 0 {
		return 0, s.err
	}
	n := copy(b, s.head)
	if s.head = s.head[n:]; n == 0 {
		n, s.err = s.source.Read(b)
	}
	if s.taken += int64(n); s.taken > s.c.limits.File {
		s.err = ErrInputTooLarge.With("limit", s.c.limits.File).Header("Connection", "close")
		return 0, s.err
	}
	switch {
	case s.err == io.EOF:
		if s.err = s.disp.checkLength(s.taken); s.err == nil {
			s.err = s.finishForm()
		}
	case s.err != nil:
		s.err = s.clientError(s.err)
	}
	return n, s.err
}

// finishForm refuses parts after the file, because the handler already runs. It returns
// io.EOF if the form ends here.
func (s *stream) finishForm() error {
	if err := s.next(); err != nil {
		return err
	}
	return newRefusal(ErrInvalid, "the form", "/form", "file_not_last", "must have its file last, and only one")
}

// clientError returns the error for the client that an error of the multipart reader
// means.
func (s *stream) clientError(err error) error {
	switch {
	case s.fence.err != nil && s.fence.err != io.EOF:
		return malformedForm(s.fence.err.Error())
	case s.meter.over:
		return ErrInputTooLarge.With("limit", s.c.limits.Body).Header("Connection", "close")
	case err == io.EOF || errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return readError(s.r, err)
}
