package validate_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// TestFilesHaveOneName_FV10 has the headers that clients send for one file, and headers
// that name two files.
func TestFilesHaveOneName_FV10(t *testing.T) {
	srv := upload(t, validate.Options{Limits: validate.Limits{File: 1 << 10}})
	const differ, alone, continued, header = "the form has a part whose filename and filename* differ", "the form must send a file name as filename, not only as filename*", "the form has a part with a parameter that is encoded or continued", "the form has a part with an invalid header"
	for _, row := range []struct {
		name, params string
		status       int
		text         string
	}{
		// HttpClient of .NET, MultipartFormDataContent.Add(content, name, fileName).
		{".NET", `; name=picture; filename=a.png; filename*=utf-8''a.png`, 200, "a.png"},
		{".NET with a name that is not ASCII", `; name=picture; filename="=?utf-8?B?RsO8w59lLnBuZw==?="; filename*=utf-8''F%C3%BC%C3%9Fe.png`, 200, "Füße.png"},
		{".NET with a blank", `; name=picture; filename="a b.png"; filename*=utf-8''a%20b.png`, 200, "a b.png"},
		{"filename* first, in other cases", `; FILENAME*=UTF-8'en'a.png; Name="picture"; FileName="a.png"`, 200, "a.png"},
		{"a raw name and filename*", `; name="picture"; filename="Füße.png"; filename*=UTF-8''F%c3%bc%C3%9Fe.png`, 200, "Füße.png"},
		{"a semicolon in the name", `; name="picture"; filename="a;b.png"; filename*=UTF-8''a%3Bb.png`, 200, "a;b.png"},
		{"curl", `; name="picture"; filename="a.png"`, 200, "a.png"},
		{"a semicolon at the end", `; name="picture"; filename="a.png";`, 200, "a.png"},
		{"two names that differ", `; name="picture"; filename="a.png"; filename*=UTF-8''b.png`, 400, differ},
		{"two names, one executable", `; name="picture"; filename="a.png"; filename*=UTF-8''a.php`, 400, differ},
		{"two names that differ in case", `; name="picture"; filename="a.png"; filename*=UTF-8''A.png`, 400, differ},
		{"two names, one a path", `; name="picture"; filename="a.png"; filename*=UTF-8''..%2Fa.png`, 400, differ},
		{"a charset that is not UTF-8", `; name="picture"; filename="a.png"; filename*=iso-8859-1''a.png`, 400, differ},
		{"no charset", `; name="picture"; filename="a.png"; filename*=a.png`, 400, differ},
		{"a bad escape", `; name="picture"; filename="a.png"; filename*=UTF-8''a%2.png`, 400, differ},
		{"invalid UTF-8", `; name="picture"; filename="a.png"; filename*=UTF-8''a%ff.png`, 400, differ},
		{"filename* in quotation marks", `; name="picture"; filename="a.png"; filename*="UTF-8''a.png"`, 400, differ},
		{"an encoded word that differs", `; name="picture"; filename="=?utf-8?B?Yi5wbmc=?="; filename*=UTF-8''a.png`, 400, differ},
		{"an encoded word that cannot be decoded", `; name="picture"; filename="=?utf-8?X?Yi5wbmc=?="; filename*=UTF-8''a.png`, 400, differ},
		{"an encoded word alone", `; name="picture"; filename="=?utf-8?B?Yi5wbmc=?="`, 422, "form field picture has a file name that is not allowed"},
		{"a path that both name", `; name="picture"; filename="../a.png"; filename*=UTF-8''..%2Fa.png`, 422, "form field picture has a file name that is not allowed"},
		{"NUL that both name", `; name="picture"; filename="=?utf-8?Q?a=00.png?="; filename*=UTF-8''a%00.png`, 422, "form field picture has a file name that is not allowed"},
		{"filename* alone", `; name="picture"; filename*=UTF-8''a.png`, 400, alone},
		{"filename* twice", `; name="picture"; filename="a.png"; filename*=UTF-8''a.png; filename*=UTF-8''a.png`, 400, continued},
		{"a continued name", `; name="picture"; filename*0="a."; filename*1="png"`, 400, continued},
		{"a continued name beside a name", `; name="picture"; filename="a.png"; filename*0="b."; filename*1="png"`, 400, continued},
		{"a continued and encoded name", `; name="picture"; filename*0*=UTF-8''a.; filename*1=png`, 400, continued},
		{"an empty filename*", `; name="picture"; filename="a.png"; filename*=`, 400, continued},
		{"an encoded field name", `; name="alt"; name*=UTF-8''picture; filename="a.png"`, 400, continued},
		{"a continued field name", `; name*0="pic"; name*1="ture"; filename="a.png"`, 400, continued},
		{"two names alike", `; name="picture"; filename="a.png"; filename="a.png"`, 400, header},
		{"two field names alike", `; name="picture"; name="picture"; filename="a.png"`, 400, header},
		{"another parameter", `; name="picture"; filename="a.png"; size=8`, 400, header},
		{"another parameter and filename*", `; name="picture"; size=8; filename*=UTF-8''a.png`, 400, ""},
		{"a name in an open quotation mark", `; name="picture"; filename="a.png; filename*=UTF-8''a.png`, 400, header},
		{"a name with an escaped quotation mark", `; name="picture"; filename="a\"; filename*=UTF-8''b.png; x=\".png"`, 422, ""},
	} {
		t.Run("FV10 "+row.name, func(t *testing.T) {
			status, _, text := sendRaw(t, srv.URL, "multipart/form-data; boundary=b", strings.NewReader(part("Content-Disposition: form-data"+row.params+"\r\nContent-Type: image/png", png)+"--b--\r\n"))
			require.Equal(t, row.status, status, text)
			if row.status == 200 {
				require.Equal(t, "|[]|"+row.text+"|image/png|8", text)
			} else if row.text != "" {
				require.Equal(t, row.text, text)
			}
		})
	}
}

// TestFilesWithoutTypeGetTheDefault_FV10: the default of RFC 7578, section 4.4, is
// text/plain. A field that accepts any or only one type needs no type of the client.
func TestFilesWithoutTypeGetTheDefault_FV10(t *testing.T) {
	type anyFile struct {
		File validate.File `form:"f" types:"application/octet-stream image/png"`
	}
	type textFile struct {
		File validate.File `form:"f" types:"image/png text/plain"`
	}
	type imageFile struct {
		File validate.File `form:"f" types:"image/gif image/png"`
	}
	o := validate.Options{Logger: quiet, Limits: validate.Limits{File: 100}}
	show := func(w http.ResponseWriter, f *validate.File) error {
		n, err := io.Copy(io.Discard, f)
		_, _ = fmt.Fprint(w, f.Type, " ", n)
		return err
	}
	h := map[string]http.Handler{
		"any":   errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *anyFile) error { return show(w, &in.File) }, o)),
		"text":  errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *textFile) error { return show(w, &in.File) }, o)),
		"image": errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *imageFile) error { return show(w, &in.File) }, o)),
	}
	for _, row := range []struct {
		field, header, content string
		status                 int
		want                   string
	}{
		{"any", "", "<html>", 200, "application/octet-stream 6"}, {"any", "", png, 200, "application/octet-stream 8"}, {"any", "", "", 200, "application/octet-stream 0"},
		{"text", "", "grüße", 200, "text/plain 7"}, {"text", "", png, 422, "form field f does not match its media type"}, {"text", "", "<html><script>", 422, "form field f does not match its media type"}, {"text", "", "a\x00", 422, ""},
		{"image", "", png, 200, "image/png 8"}, {"image", "", "GIF89a", 200, "image/gif 6"}, {"image", "", "text", 422, "form field f does not match its media type"}, {"image", "", "", 422, ""},
		{"image", "\r\nContent-Type: image/gif", png, 422, "form field f does not match its media type"}, {"image", "\r\nContent-Type: ", png, 422, "form field f must be a file of one of: image/gif, image/png"},
		{"image", "\r\nContent-Type: application/octet-stream", png, 422, "form field f must be a file of one of: image/gif, image/png"}, {"image", "\r\nContent-Type: image/png;", png, 200, "image/png 8"},
	} {
		t.Run(fmt.Sprintf("FV10 %s %q %q", row.field, row.header, row.content), func(t *testing.T) {
			w := in(t, h[row.field], "POST", "/", formOf("b"), strings.NewReader(part(`Content-Disposition: form-data; name="f"; filename="a"`+row.header, row.content)+"--b--"))
			require.Equal(t, row.status, w.Code, w.Body)
			require.Contains(t, w.Body.String(), row.want)
		})
	}
}

// A part may have a Content-Length, as OkHttp sends it, which must be correct.
func TestPartsMatchTheirContentLength_FV10(t *testing.T) {
	srv := upload(t, validate.Options{Limits: validate.Limits{File: 1 << 10, String: 100}})
	field := func(length string) string {
		return part("Content-Disposition: form-data; name=\"alt\"\r\nContent-Length: "+length, "xyz") + filePart("picture", "a.png", "image/png", png) + "--b--\r\n"
	}
	file := func(length string) string {
		return part("Content-Disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Length: "+length, png) + "--b--\r\n"
	}
	const lie, header = "the form has a part that is not as long as its Content-Length", "the form has a part with an invalid header"
	for _, row := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"FV10 a field", field("3"), 200, "xyz|[]|a.png|image/png|8"}, {"FV10 a shorter field", field("4"), 400, lie}, {"FV10 a longer field", field("2"), 400, lie}, {"FV10 a field of nothing", field("0"), 400, lie},
		{"FV10 a file", file("8"), 200, "|[]|a.png|image/png|8"}, {"FV10 a shorter file", file("9"), 400, lie}, {"FV10 a longer file", file("7"), 400, lie}, {"FV10 a huge file", file("9223372036854775807"), 400, lie},
		{"FV10 a sign", file("+8"), 400, header}, {"FV10 less than nothing", file("-1"), 400, header}, {"FV10 a leading zero", file("08"), 400, header}, {"FV10 hexadecimal", file("0x8"), 400, header}, {"FV10 empty", file(""), 400, header},
		{"FV10 two lengths", file("8\r\nContent-Length: 8"), 400, header}, {"FV10 beyond 64 bits", file("18446744073709551624"), 400, header},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, _, text := sendRaw(t, srv.URL, "multipart/form-data; boundary=b", strings.NewReader(row.body))
			require.Equal(t, row.status, status, text)
			require.Equal(t, row.text, text)
		})
	}
}
