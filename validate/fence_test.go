package validate_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// uploads is the handler of a picture form that reads the whole file.
func uploads(t testing.TB, got *string) http.Handler {
	t.Helper()
	return errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) error {
		data, err := io.ReadAll(&in.File)
		*got = fmt.Sprintf("%s|%v|%s|%s|%s", in.Alt, in.Tags, in.File.Name, in.File.Type, data)
		return err
	}, validate.Options{Logger: quiet, Limits: validate.Limits{File: 16 << 10}}))
}

func formOf(boundary string) http.Header {
	return http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}}
}

const wholeForm = "--b\r\nContent-Disposition: form-data; name=\"alt\"\r\n\r\nx\r\ny\r\n--b\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\n\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n-\r\n--\r\n--c\r--b\n--b\r\n\r\r\n--b--"

// TestEveryPrefixOfAFormIsMalformed_FV5: a truncated form is not a
// form.
func TestEveryPrefixOfAFormIsMalformed_FV5(t *testing.T) {
	var got string
	h := uploads(t, &got)
	fields := wholeForm[:strings.Index(wholeForm, "--b\r\nContent-Disposition: form-data; name=\"picture\"")] + "--b--"
	for _, form := range []string{wholeForm, fields} {
		for i := range len(form) {
			for name, body := range map[string]io.Reader{"at once": strings.NewReader(form[:i]), "byte by byte": iotest.OneByteReader(strings.NewReader(form[:i]))} {
				w := in(t, h, "POST", "/", formOf("b"), body)
				require.Equal(t, 400, w.Code, "%s: %q: %s", name, form[:i], w.Body)
				require.Contains(t, w.Body.String(), "the form ends too early")
			}
		}
	}
	for _, end := range []string{"", "\r\n"} {
		for _, begin := range []string{"", "\r\n"} {
			for _, body := range []io.Reader{strings.NewReader(begin + wholeForm + end), iotest.OneByteReader(strings.NewReader(begin + wholeForm + end)), iotest.DataErrReader(strings.NewReader(begin + wholeForm + end))} {
				w := in(t, h, "POST", "/", formOf("b"), body)
				require.Equal(t, 200, w.Code, w.Body)
				require.Equal(t, "x\r\ny|[]|a.txt|text/plain|\r\n-\r\n--\r\n--c\r--b\n--b\r\n\r", got)
			}
		}
	}
}

// TestBoundariesOfAFormHaveOneReading_FV5 has bytes that mime/multipart skips or
// reads differently than other parsers.
func TestBoundariesOfAFormHaveOneReading_FV5(t *testing.T) {
	var got string
	h := uploads(t, &got)
	const boundary, line, cut, epilogue, preamble = "the form has a boundary that is not alone on its line", "the form has a header line that does not end with CRLF", "the form ends too early", "the form has data after its end", "the form does not begin with its boundary"
	file := filePart("picture", "a.png", "image/png", png)
	for _, row := range []struct{ name, boundary, body, text string }{
		{"a preamble", "b", "This is a multi-part message\r\n" + file + "--b--\r\n", preamble},
		{"a preamble of a part", "b", textPart("alt", "evil")[2:] + file + "--b--\r\n", preamble},
		{"two line breaks in front", "b", "\r\n\r\n" + file + "--b--\r\n", preamble},
		{"a line feed in front", "b", "\n" + file + "--b--\r\n", preamble},
		{"a blank in front", "b", " " + file + "--b--\r\n", preamble},
		{"an epilogue", "b", file + "--b--\r\nepilogue", epilogue},
		{"a form in the epilogue", "b", file + "--b--\r\n" + textPart("alt", "evil") + "--b--\r\n", epilogue},
		{"two line breaks behind", "b", file + "--b--\r\n\r\n", epilogue},
		{"a return behind", "b", file + "--b--\r", epilogue},
		{"a line feed behind", "b", file + "--b--\n", epilogue},
		{"blanks behind the end", "b", file + "--b-- \r\n", epilogue},
		{"a long epilogue", "b", file + "--b--" + strings.Repeat("\r\n", 10_000), epilogue},
		{"a third hyphen", "b", file + "--b---\r\n", epilogue},
		{"blanks behind a boundary", "b", strings.Replace(file, "--b", "--b \t", 1) + "--b--", boundary},
		{"a boundary that goes on", "b", "--bb\r\n" + file[5:] + "--bb--", boundary},
		{"a longer one inside", "b", textPart("alt", "x\r\n--bjunk\r\ny") + file + "--b--", boundary},
		{"one hyphen", "b", file + "--b-\r\n", boundary},
		{"line feeds only", "b", strings.ReplaceAll(file, "\r\n", "\n") + "--b--", boundary},
		{"a line feed behind a boundary", "b", strings.Replace(file, "--b\r\n", "--b\n", 1) + "--b--", boundary},
		{"a return behind a boundary", "b", strings.Replace(file, "--b\r\n", "--b\r", 1) + "--b--", boundary},
		{"a line feed in a header", "b", strings.Replace(file, "\"\r\nContent-Type", "\"\nContent-Type", 1) + "--b--", line},
		{"a header that ends in line feeds", "b", "--b\r\nContent-Disposition: form-data; name=\"alt\"\n\nevil\r\n" + file + "--b--", line},
		{"a return in a header", "b", "--b\r\nContent-Disposition: form-data;\r name=\"alt\"\r\n\r\nx\r\n" + file + "--b--", line},
		{"a boundary inside a header", "b", "--b\r\nContent-Disposition: form-data; name=\"alt\"\r\n--b--\r\n\r\n" + file + "--b--", boundary},
		{"a header that is named as the boundary", "b", "--b\r\nContent-Disposition: form-data; name=\"alt\"\r\n--b: x\r\n\r\n" + file + "--b--", boundary},
		{"a boundary as the first header", "b", "--b\r\n--b\r\n\r\n" + file + "--b--", boundary},
		{"closed twice", "b", file + "--b--\r\n--b--\r\n", epilogue},
		{"no boundary at all", "b", "alt=x", preamble},
		{"nothing", "b", "", cut},
	} {
		t.Run("FV5 "+row.name, func(t *testing.T) {
			for _, body := range []io.Reader{strings.NewReader(row.body), iotest.OneByteReader(strings.NewReader(row.body)), iotest.HalfReader(strings.NewReader(row.body))} {
				w := in(t, h, "POST", "/", formOf(row.boundary), body)
				require.Equal(t, 400, w.Code, w.Body)
				require.Contains(t, w.Body.String(), row.text)
			}
		})
	}
}

// The body is truncated by the client, by its Content-Length, or by the last chunk.
func TestTruncatedFormsAreRefusedOverASocket_FV5(t *testing.T) {
	srv := upload(t, validate.Options{Limits: validate.Limits{File: 1 << 10}})
	file := filePart("picture", "a.png", "image/png", png)
	for name, cut := range map[string]string{
		"FV5 behind a boundary":         textPart("alt", "x") + file + "--b\r\n",
		"FV5 inside a part's header":    textPart("alt", "x") + file + "--b\r\nContent-Disposition: form-data; na",
		"FV5 in front of the file":      textPart("alt", "x") + "--b\r\n",
		"FV5 inside the file's header":  textPart("alt", "x") + "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n",
		"FV5 behind the file's header":  strings.TrimSuffix(file, png+"\r\n"),
		"FV5 inside the last boundary":  file + "--b-",
		"FV5 in front of the last line": strings.TrimSuffix(file, "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []io.Reader{strings.NewReader(cut), io.MultiReader(strings.NewReader(cut))} {
				status, code, text := sendRaw(t, srv.URL, "multipart/form-data; boundary=b", body)
				require.Equal(t, []any{400, "malformed_input", "the form ends too early"}, []any{status, code, text})
			}
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			require.NoError(t, err)
			_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(cut)+1, cut)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			raw, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.Contains(t, string(raw), "HTTP/1.1 400 ")
		})
	}
}

// FuzzFence_FV5 compares the fence with mime/multipart and with a naive parser. A form
// that the fence accepts has the same parts for both, and nothing else.
func FuzzFence_FV5(f *testing.F) {
	for _, seed := range []string{wholeForm, wholeForm + "\r\n", "--b--", "--b\r\n\r\n--b--", "--b\r\nA: b\r\n\r\n\r\n--b--\r\n", "\r\n--b\r\nA: b\r\n\r\n\r\r\n--b--", "--b\r\nA: b\r\n\r\n\r\n--bb\r\n--b--", "--b\nA: b\n\nx\n--b--", "--b\r\n--b\r\n\r\n--b--"} {
		f.Add(seed, uint8(1))
		f.Add(seed, uint8(7))
	}
	f.Fuzz(func(t *testing.T, body string, step uint8) {
		read, err := io.ReadAll(validate.NewFence(&stepReader{body: body, step: int(step%64) + 1}, "b"))
		parts, isForm := naiveForm(body)
		require.Equal(t, isForm, err == nil, "%q: %v", body, err)
		if err != nil {
			return
		}
		require.Equal(t, body, string(read))
		reader := multipart.NewReader(strings.NewReader(body), "b")
		for _, want := range parts {
			part, err := reader.NextRawPart()
			if err != nil {
				return // a header that package textproto cannot read
			}
			data, err := io.ReadAll(part)
			require.NoError(t, err)
			require.True(t, bytes.Equal([]byte(want), data), "%q: %q and %q", body, want, data)
		}
		_, err = reader.NextRawPart()
		require.Equal(t, io.EOF, err)
	})
}

// naiveForm returns the contents of the parts if the fence must accept the form.
func naiveForm(body string) (contents []string, ok bool) {
	body = strings.TrimSuffix("\r\n"+strings.TrimPrefix(body, "\r\n"), "\r\n")
	inner, closed := strings.CutSuffix(body, "\r\n--b--")
	if !closed {
		return nil, false
	}
	if inner == "" {
		return nil, true
	}
	pieces := strings.Split(inner, "\r\n--b")
	if pieces[0] != "" {
		return nil, false
	}
	for _, piece := range pieces[1:] {
		rest, isLine := strings.CutPrefix(piece, "\r\n")
		if !isLine {
			return nil, false
		}
		header, content, complete := strings.Cut("\r\n"+rest, "\r\n\r\n")
		if !complete {
			if header, complete = strings.CutSuffix("\r\n"+rest+"\r\n", "\r\n\r\n"); !complete {
				return nil, false
			}
		}
		if bare := strings.ReplaceAll(header, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
			return nil, false
		}
		contents = append(contents, content)
	}
	return contents, true
}

// stepReader returns a few bytes with each call.
type stepReader struct {
	body string
	step int
}

func (s *stepReader) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), s.step)], s.body)
	if s.body = s.body[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
