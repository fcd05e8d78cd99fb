package validate_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type picture struct {
	Alt  string        `form:"alt" validate:"max=20"`
	Tags []string      `form:"tag" validate:"max=3,dive,max=5"`
	File validate.File `form:"picture" types:"image/png text/plain" validate:"required"`
}

const png = "\x89PNG\r\n\x1a\n"

// part is a part of a form as it is sent.
func part(header, content string) string { return "--b\r\n" + header + "\r\n\r\n" + content + "\r\n" }

func textPart(name, content string) string {
	return part(`Content-Disposition: form-data; name="`+name+`"`, content)
}

func filePart(field, name, media, content string) string {
	return part(`Content-Disposition: form-data; name="`+field+`"; filename="`+name+`"`+"\r\nContent-Type: "+media, content)
}

// upload responds with the name, type and length of the file.
func upload(t testing.TB, o validate.Options) *httptest.Server {
	t.Helper()
	o.Logger = quiet
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *picture) error {
		n, err := io.Copy(io.Discard, &in.File)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s|%v|%s|%s|%d", in.Alt, in.Tags, in.File.Name, in.File.Type, n)
		return err
	}, o))
	mux := http.NewServeMux()
	mux.Handle("/", h)
	srv := httptest.NewServer(quietly(mux))
	t.Cleanup(srv.Close)
	return srv
}

// TestMultipartFormsAreChecked holds VM1 to VM4.
func TestMultipartFormsAreChecked(t *testing.T) {
	srv := upload(t, validate.Options{Limits: validate.Limits{File: 1 << 20, Body: 128 << 10, String: 100}})
	const end = "--b--\r\n"
	good := filePart("picture", "a.png", "image/png", png+"data")
	named := func(name string) string { return filePart("picture", name, "image/png", png) + end }
	header := func(lines string) string {
		return part("Content-Disposition: form-data; name=\"alt\"\r\n"+lines, "x") + good + end
	}
	for _, row := range []struct {
		name, media, body string
		status            int
		code, text        string
	}{
		{"VM1 no boundary", "multipart/form-data", good + end, 400, "malformed_input", "the form has a missing or invalid boundary"},
		{"VM1 an empty boundary", `multipart/form-data; boundary=""`, good + end, 400, "malformed_input", ""},
		{"VM1 a boundary of 71", "multipart/form-data; boundary=" + strings.Repeat("b", 71), good + end, 400, "malformed_input", ""},
		{"VM1 a boundary with a quotation mark", `multipart/form-data; boundary="a\"b"`, good + end, 400, "malformed_input", ""},
		{"VM1 two boundaries", "multipart/form-data; boundary=b; boundary=c", good + end, 415, "unsupported_media_type", ""},
		{"VM1 another parameter", "multipart/form-data; boundary=b; charset=utf-16", good + end, 400, "malformed_input", ""},
		{"VM1 nested", "", part("Content-Disposition: form-data; name=\"alt\"\r\nContent-Type: multipart/mixed; boundary=c", "x") + good + end, 400, "malformed_input", "the form must not contain another form"},
		{"VM1 no last boundary", "", textPart("alt", "x"), 400, "malformed_input", ""},
		{"VM1 no last boundary behind the file", "", good, 400, "malformed_input", ""},
		{"VM1 cut in the file", "", strings.TrimSuffix(good, "data\r\n"), 400, "malformed_input", ""},
		{"VM1 empty", "", "", 400, "malformed_input", ""},
		{"VM1 another boundary", "", strings.ReplaceAll(good+end, "--b", "--c"), 400, "malformed_input", ""},
		{"VM1 no parts", "", end, 422, "invalid_input", "form field picture is required"},
		{"VM2 1001 parts", "", strings.Repeat(textPart("tag", "a"), 1001) + good + end, 413, "input_too_large", ""},
		{"VM2 51 parts", "", strings.Repeat(textPart("tag", ""), 51) + good + end, 413, "input_too_large", ""},
		{"VM2 a header of 1 MB", "", header("X-A: " + strings.Repeat("a", 1<<20)), 413, "input_too_large", ""},
		{"VM2 a header name of 1 MB", "", header(strings.Repeat("a", 1<<20)), 413, "input_too_large", ""},
		{"VM2 10 000 header lines", "", header(strings.Repeat("A: b\r\n", 10_000) + "A: b"), 413, "input_too_large", ""},
		{"VM2 9 header lines", "", header(strings.Repeat("A: b\r\n", 7) + "A: b"), 413, "input_too_large", "a part of the form must have at most 8 header lines"},
		{"VM2 a preamble of 768 KiB", "", strings.Repeat("a\r\n", 1<<18) + good + end, 400, "malformed_input", "the form does not begin with its boundary"},
		{"VM2 a file without a field", "", filePart("other", "a.png", "image/png", png) + end, 422, "invalid_input", "form field other is unknown"},
		{"VM2 a field that is unknown", "", textPart("admin", "1") + good + end, 422, "invalid_input", "form field admin is unknown"},
		{"VM2 a name of markup", "", textPart("<b>", "1") + good + end, 422, "invalid_input", "the form has an unknown field"},
		{"VM2 two files of a field", "", good + good + end, 422, "invalid_input", "the form must have its file last, and only one"},
		{"VM2 a field behind the file", "", good + textPart("alt", "x") + end, 422, "invalid_input", "the form must have its file last, and only one"},
		{"VM2 a file in a field", "", filePart("alt", "a.png", "image/png", png) + good + end, 422, "invalid_input", "form field alt must not be a file"},
		{"VM2 a field in the file's place", "", textPart("picture", png) + end, 422, "invalid_input", "form field picture must be a file"},
		{"VM2 a long field", "", textPart("alt", strings.Repeat("a", 101)) + good + end, 413, "input_too_large", "a field of the form must have at most 100 bytes"},
		{"VM2 more fields than a body", "", strings.Repeat(textPart("tag", strings.Repeat("a", 99)), 2000) + good + end, 413, "input_too_large", ""},
		{"VM2 a field twice", "", textPart("alt", "x") + textPart("alt", "y") + good + end, 400, "duplicate_parameter", "form field alt appears more than once"},
		{"VM2 a rule", "", textPart("tag", "abcdef") + good + end, 422, "invalid_input", "form field tag/0 must have at most 5 characters"},
		{"VM2 the lines of a textarea", "", textPart("alt", "a\r\nb\tc\n") + good + end, 200, "", ""},
		{"VM2 a control character", "", textPart("alt", "a\x00") + good + end, 400, "malformed_input", ""},
		{"VM2 another encoding", "", header("Content-Transfer-Encoding: base64"), 400, "malformed_input", "the form has a part with an invalid header"},
		{"VM2 a field of another charset", "", header("Content-Type: text/plain; charset=utf-16"), 400, "malformed_input", ""},
		{"VM2 no disposition", "", part("Content-Type: text/plain", "x") + good + end, 400, "malformed_input", ""},
		{"VM2 two dispositions", "", header(`Content-Disposition: form-data; name="tag"`), 400, "malformed_input", ""},
		{"VM2 an attachment", "", part(`Content-Disposition: attachment; name="alt"`, "x") + good + end, 400, "malformed_input", ""},
		{"VM2 no name", "", part(`Content-Disposition: form-data`, "x") + good + end, 400, "malformed_input", ""},
		{"VM2 two names", "", part(`Content-Disposition: form-data; name="alt"; name="tag"`, "x") + good + end, 400, "malformed_input", ""},
		{"VM2 filename*", "", part(`Content-Disposition: form-data; name="picture"; filename*=UTF-8''a.png`+"\r\nContent-Type: image/png", png) + end, 400, "malformed_input", ""},
		{"VM3 a path", "", named("../../x.png"), 422, "invalid_input", "form field picture has a file name that is not allowed"},
		{"VM3 a path of Windows", "", named(`c:x.png`), 422, "invalid_input", ""},
		{"VM3 NUL", "", named("a\x00.png"), 400, "malformed_input", ""}, // not a header at all
		{"VM3 a device", "", named("con"), 422, "invalid_input", ""},
		{"VM3 a device with an extension", "", named("COM1.png"), 422, "invalid_input", ""},
		{"VM3 two extensions", "", named("x.php.png"), 422, "invalid_input", ""},
		{"VM3 hidden", "", named(".htaccess"), 422, "invalid_input", ""},
		{"VM3 a stream", "", named("a.png::$DATA"), 422, "invalid_input", ""},
		{"VM3 a long name", "", named(strings.Repeat("a", 256)), 422, "invalid_input", ""},
		{"VM3 invalid UTF-8", "", named("a\xff.png"), 422, "invalid_input", ""},
		{"VM3 the type lies", "", filePart("picture", "a.png", "image/png", "<html><script>") + end, 422, "invalid_input", "form field picture does not match its media type"},
		{"VM3 the type is none of ours", "", filePart("picture", "a.gif", "image/gif", "GIF89a") + end, 422, "invalid_input", "form field picture must be a file of one of: image/png, text/plain"},
		{"VM3 no type", "", part(`Content-Disposition: form-data; name="picture"; filename="a.png"`, png) + end, 422, "invalid_input", ""},
		{"VM3 markup as plain text", "", filePart("picture", "a.txt", "text/plain", "<html><script>alert(1)</script>") + end, 422, "invalid_input", ""},
		{"VM3 nothing chosen", "", filePart("picture", "", "application/octet-stream", "") + end, 422, "invalid_input", "form field picture is required"},
		{"VM3 no name and content", "", filePart("picture", "", "application/octet-stream", png) + end, 422, "invalid_input", ""},
		{"VM4 a byte too many", "", filePart("picture", "a.png", "image/png", png+strings.Repeat("a", 1<<20-7)) + end, 413, "input_too_large", ""},
		{"urlencoded", "application/x-www-form-urlencoded", "alt=x", 415, "unsupported_media_type", ""},
		{"JSON", "application/json", "{}", 415, "unsupported_media_type", ""},
		{"exactly the limit", "", filePart("picture", "a.png", "image/png", png+strings.Repeat("a", 1<<20-8)) + end, 200, "", "|[]|a.png|image/png|1048576"},
		{"all", "", textPart("alt", "x y") + textPart("tag", "a") + textPart("tag", "b") + good + end, 200, "", "x y|[a b]|a.png|image/png|12"},
		{"a name beyond ASCII", "", filePart("picture", "Füße (1).png", "image/png", png) + end, 200, "", "|[]|Füße (1).png|image/png|8"},
		{"plain text", "", filePart("picture", "a.txt", "text/plain; charset=UTF-8", "grüße\n") + end, 200, "", "|[]|a.txt|text/plain|8"},
		{"FV9 a semicolon behind the boundary", "multipart/form-data;boundary=b;", good + end, 200, "", ""},
		{"FV9 empty parameters around the boundary", "multipart/form-data;; boundary=b ; ", good + end, 200, "", ""},
		{"FV9 a field of utf8", "", part("Content-Disposition: form-data; name=\"alt\"\r\nContent-Type: text/plain;;charset=utf8;", "x") + good + end, 200, "", ""},
		{"FV9 a part in identity", "", header("Content-Encoding: identity"), 200, "", ""},
		{"FV9 a part in gzip", "", header("Content-Encoding: gzip"), 400, "malformed_input", ""},
		{"FV9 a form in it, with a semicolon", "", header("Content-Type: multipart/mixed;boundary=c;"), 400, "malformed_input", "the form must not contain another form"},
		{"a boundary in quotation marks", `multipart/form-data; boundary="b"`, good + end, 200, "", "|[]|a.png|image/png|12"},
	} {
		t.Run(row.name, func(t *testing.T) {
			media := row.media
			if media == "" {
				media = "multipart/form-data; boundary=b"
			}
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(row.body)
				if chunked {
					body = io.MultiReader(body)
				}
				status, code, text := sendRaw(t, srv.URL, media, body)
				require.Equal(t, row.status, status, text)
				require.Equal(t, row.code, code)
				if row.text != "" {
					require.Equal(t, row.text, text)
				}
			}
		})
	}
}

// sendRaw posts a body over its own connection, because a server may respond and close
// while the body is still being sent.
func sendRaw(t testing.TB, url, media string, body io.Reader) (status int, code, text string) {
	t.Helper()
	r, err := http.NewRequest("POST", url, body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", media)
	var res *http.Response
	require.Eventually(t, func() bool { // the response may be lost when the connection is reset during the upload
		res, err = (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil && r.GetBody != nil {
			r.Body, _ = r.GetBody()
		}
		return err == nil
	}, 10*time.Second, time.Millisecond, "%v", err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	if res.StatusCode == 200 {
		return 200, "", string(raw)
	}
	code, text = refusalOf(t, raw)
	return res.StatusCode, code, text
}

// VM4: 100 MB for a field of 1 MB are refused early, and nothing is written to disk.
func TestLargeFilesAreRefusedEarly(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := quietly(errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) error {
		_, err := io.Copy(io.Discard, &in.File)
		return err
	}, validate.Options{Logger: quiet, Limits: validate.Limits{File: 1 << 20}})))
	for _, row := range []struct {
		name   string
		length int64
		most   int64 // that is read
	}{
		{"VM4 by its own word", 100 << 20, 0},
		{"VM4 chunked", -1, 1<<20 + 64<<10},
	} {
		t.Run(row.name, func(t *testing.T) {
			read := &counting{r: io.MultiReader(strings.NewReader(textPart("alt", "x")+strings.TrimSuffix(filePart("picture", "a.png", "image/png", png), "\r\n")), endless{})}
			r := httptest.NewRequest("POST", "/", nil)
			r.Body, r.ContentLength = io.NopCloser(read), row.length
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, 413, w.Code)
			require.LessOrEqual(t, read.n, row.most)
		})
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// VT14 for files: BodyTimeout applies while the handler reads, and its read returns the
// error.
func TestSlowFilesTimeOut(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	srv := upload(t, validate.Options{Limits: validate.Limits{File: 1 << 20, BodyTimeout: 200 * time.Millisecond}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	require.NoError(t, err)
	start := strings.TrimSuffix(filePart("picture", "a.png", "image/png", png+strings.Repeat("a", 600)), "\r\n")
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n%s", start)
	require.NoError(t, err)
	raw, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Contains(t, string(raw), "HTTP/1.1 408 ")
	require.Contains(t, string(raw), "body_timeout")
}

func TestConstructorsReportBadFiles(t *testing.T) {
	refused := func(want string, err error) {
		t.Helper()
		require.ErrorContains(t, err, want)
	}
	o := validate.Options{Logger: quiet, Limits: validate.Limits{File: 1}}
	_, err := validate.Input[picture](validate.Options{Logger: quiet})
	refused("picture.File: a File needs Limits.File, which is 0", err)
	type untyped struct {
		File validate.File `form:"f"`
	}
	_, err = validate.Form[untyped](o)
	refused("untyped.File: has no media types; did you mean", err)
	type unsniffed struct {
		File validate.File `form:"f" types:"image/svg+xml"`
	}
	_, err = validate.Form[unsniffed](o)
	refused("files of the type image/svg+xml cannot be recognized", err)
	type ruled struct {
		File validate.File `form:"f" types:"image/png" validate:"max=3"`
	}
	_, err = validate.Form[ruled](o)
	refused("a File accepts only the rule required", err)
	type two struct {
		A validate.File `form:"a" types:"image/png"`
		B validate.File `form:"b" types:"image/png"`
	}
	_, err = validate.Form[two](o)
	refused("two.B: a form can have only one file", err)
	type inJSON struct {
		File validate.File `json:"f"`
	}
	_, err = validate.JSON[inJSON](o)
	refused("a validate.File cannot be read from JSON", err)
	type inQuery struct {
		File validate.File `query:"f" types:"image/png"`
	}
	_, err = validate.Input[inQuery](o)
	refused("a File comes from a form", err)
	type pointer struct {
		File *validate.File `form:"f" types:"image/png"`
	}
	_, err = validate.Form[pointer](o)
	refused("pointer.File", err)
}

// A form without its file is accepted if the file is not required.
func TestOptionalFilesMayBeAbsent(t *testing.T) {
	type optional struct {
		Alt  string        `form:"alt" validate:"max=9"`
		File validate.File `form:"picture" types:"application/octet-stream"`
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *optional) error {
		n, err := io.Copy(io.Discard, &in.File)
		_, _ = fmt.Fprint(w, in.Alt, in.File.Sent(), n)
		return err
	}, validate.Options{Logger: quiet, Limits: validate.Limits{File: 100}}))
	for body, want := range map[string]string{
		textPart("alt", "x") + "--b--": "xfalse 0",
		filePart("picture", "", "application/octet-stream", "") + textPart("alt", "x") + "--b--":  "xfalse 0",
		textPart("alt", "x") + filePart("picture", "f", "application/octet-stream", "") + "--b--": "xtrue 0",
		filePart("picture", "f", "application/octet-stream", "<html>") + "--b--":                  "true 6",
	} {
		w := in(t, h, "POST", "/", http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, strings.NewReader(body))
		require.Equal(t, 200, w.Code, w.Body)
		require.Equal(t, want, w.Body.String())
	}
}

// FuzzMultipart compares an accepted form with the result of the standard library.
func FuzzMultipart(f *testing.F) {
	file := filePart("picture", "a.png", "image/png", png+"data")
	for _, seed := range []string{textPart("alt", "x") + file + "--b--", file, textPart("tag", "a") + textPart("tag", "b") + file + "--b--\r\nepilogue", "--b--", "preamble\r\n" + file + "--b--", strings.ReplaceAll(file, "\r\n", "\n") + "--b--"} {
		f.Add(seed)
	}
	var got *picture
	var content []byte
	h := quietly(errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) (err error) {
		got = in
		content, err = io.ReadAll(&in.File)
		return err
	}, validate.Options{Logger: quiet, Limits: validate.Limits{File: 1 << 10}})))
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 413, 422}, w.Code)
		if w.Code != 200 {
			return
		}
		form, err := multipart.NewReader(strings.NewReader(body), "b").ReadForm(1 << 20)
		require.NoError(t, err)
		require.Equal(t, strings.Join(form.Value["alt"], "&"), got.Alt)
		require.Equal(t, strings.Join(form.Value["tag"], "&"), strings.Join(got.Tags, "&"))
		require.Len(t, form.File["picture"], 1)
		opened, err := form.File["picture"][0].Open()
		require.NoError(t, err)
		want, err := io.ReadAll(opened)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, content))
		require.Equal(t, form.File["picture"][0].Filename, got.File.Name)
	})
}
