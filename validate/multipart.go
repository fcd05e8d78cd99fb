package validate

import (
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

var multipartType = []string{"multipart/form-data"}

// A stream reads a multipart form part by part.
type stream struct {
	c     *config
	r     *http.Request
	meter meter
	fence *fence
	parts int
	form  *multipart.Reader
	part  *multipart.Part
	disp  disposition // of the part
	head  []byte      // first bytes of the file that Read has not returned yet
	taken int64       // bytes of the file that were read
	err   error       // final error of the file

	source io.Reader // of the part
	buffer []byte    // reused for fields
}

// A meter limits the bytes that the multipart reader reads, in total and in one step.
// The limit of a step also bounds the header of a part, of which mime/multipart accepts
// 10 MiB (CVE-2023-24536, CVE-2023-45290).
type meter struct {
	r        io.Reader
	patience patience
	left     int64 // remaining bytes in total
	step     int64 // remaining bytes of the current step
	total    int64
	over     bool
}

// headerRoom is the maximum number of bytes of one step: the boundary and the header of
// a part, and the buffer of the reader.
const headerRoom = 12 << 10

// headers is the maximum number of header lines of a part. Browsers send two.
const headers = 8

func (m *meter) Read(b []byte) (int, error) {
	most := min(m.left, m.step)
	if most <= 0 {
		m.over = true
		return 0, &http.MaxBytesError{}
	}
	n, err := m.r.Read(b[:min(int64(len(b)), most)])
	m.left, m.step, m.total = m.left-int64(n), m.step-int64(n), m.total+int64(n)
	m.patience.extend(m.total)
	return n, err
}

// A refill reads the content of a part, each read in a step of its own. Callers bound
// the content.
type refill struct{ s *stream }

func (r refill) Read(b []byte) (int, error) {
	r.s.meter.step = headerRoom
	return r.s.part.Read(b)
}

// readMultipart reads the fields of a form up to its file, which the handler reads.
func (p *plan) readMultipart(r *http.Request, v reflect.Value, patience patience) error {
	s, err := p.c.open(r, patience)
	if err != nil {
		return err
	}
	values := make(map[string][]string)
	for {
		err := s.next()
		if err == io.EOF {
			return p.setForm(values, v)
		}
		if err != nil {
			return err
		}
		if s.disp, err = s.readDisposition(); err != nil {
			return err
		}
		name := s.disp.name
		param := p.formParam(name)
		switch {
		case param == nil:
			return unknownName(map[string][]string{name: nil}, "form", "field")
		case s.disp.isFile != (param.types != nil):
			return misplaced(param)
		case !s.disp.isFile:
			if err := s.addField(values, name); err != nil {
				return err
			}
		case s.disp.file == "":
			if n, err := s.source.Read(make([]byte, 1)); n > 0 || err != io.EOF || s.disp.length > 0 {
				return misplaced(param) // browsers send an empty part if the user has not chosen a file
			}
		default:
			s.meter.left = p.c.limits.File + headerRoom
			found, err := s.newFile(param, s.disp.file)
			if err != nil {
				return err
			}
			v.FieldByIndex(param.index).Set(reflect.ValueOf(found))
			return p.setForm(values, v)
		}
	}
}

// open checks the headers of a request before the form is read.
func (c *config) open(r *http.Request, patience patience) (*stream, error) {
	if len(codings(r.Header)) > 0 {
		return nil, ErrMediaType.Header("Accept-Encoding", "identity")
	}
	params, err := c.media(r, multipartType)
	if err != nil {
		return nil, err
	}
	boundary := params["boundary"]
	if len(params) != 1 || !properBoundary(boundary) {
		return nil, malformedForm("has a missing or invalid boundary")
	}
	if r.ContentLength > c.limits.Body+c.limits.File {
		return nil, c.tooLarge()
	}
	s := &stream{c: c, r: r}
	// An eighth of Limits.Body covers the overhead of the fields in memory.
	s.meter = meter{r: r.Body, patience: patience, left: c.limits.Body - c.limits.Body/8}
	s.fence = newFence(&s.meter, boundary)
	s.form = multipart.NewReader(s.fence, boundary)
	return s, nil
}

// properBoundary accepts a boundary of RFC 2046, section 5.1.1.
func properBoundary(s string) bool {
	for _, b := range []byte(s) {
		if !letter(b) && !digit(b) && !strings.ContainsRune("'()+_,-./:=? ", rune(b)) {
			return false
		}
	}
	return s != "" && len(s) <= 70 && !strings.HasSuffix(s, " ")
}

// next goes to the next part. After the last part, it reads the rest of the body and
// returns io.EOF.
func (s *stream) next() error {
	s.meter.step = headerRoom
	part, err := s.form.NextRawPart()
	if err == io.EOF {
		return s.finishBody()
	}
	if err != nil {
		return s.clientError(err)
	}
	if s.parts++; s.parts > s.c.limits.Parts {
		return bodyRefusal(ErrInputTooLarge, "the form must have at most "+strconv.Itoa(s.c.limits.Parts)+" parts")
	}
	s.part, s.source = part, refill{s}
	return nil
}

// finishBody reads the rest of the body, which the fence checks. It returns io.EOF
// if the form is complete.
func (s *stream) finishBody() error {
	rest := make([]byte, 8)
	for {
		_, err := s.fence.Read(rest)
		if err == io.EOF && s.fence.isClosed() {
			s.meter.patience.clearDeadline()
			return io.EOF
		}
		if err != nil {
			return s.clientError(err)
		}
	}
}

// addField reads the value of a part that is not a file.
func (s *stream) addField(values map[string][]string, name string) error {
	if header := s.part.Header.Get("Content-Type"); header != "" {
		media, params, ok := parseMediaType(header)
		if !ok || media != "text/plain" || len(params) > 0 && !isUTF8(params["charset"]) {
			return malformedForm("has a field of another type than text/plain in UTF-8")
		}
	}
	limit := s.c.limits.String
	data, err := s.readField()
	switch {
	case err != nil:
		return s.clientError(err)
	case len(data) > limit:
		return bodyRefusal(ErrInputTooLarge, "a field of the form must have at most "+strconv.Itoa(limit)+" bytes")
	case len(values[name]) == s.c.limits.Values:
		return newRefusal(ErrInputTooLarge, "the input", "", "too_many_values", "must have at most "+strconv.Itoa(s.c.limits.Values)+" values per name")
	}
	values[name] = append(values[name], string(data))
	return s.disp.checkLength(int64(len(data)))
}

// readField reads a field into a buffer that the next field reuses. It reads at most one
// byte more than the limit.
func (s *stream) readField() ([]byte, error) {
	data, most := s.buffer[:0], s.c.limits.String+1
	for len(data) < most {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(max(16*cap(data), firstBuffer), most)), data...)
			s.buffer = data
		}
		n, err := s.source.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}

// formParam returns the field of a form by its name, or nil.
func (p *plan) formParam(name string) *param {
	for i := range p.params {
		if p.params[i].source == "form" && p.params[i].name == name {
			return &p.params[i]
		}
	}
	return nil
}

func misplaced(p *param) error {
	at, text := place{source: p.source, name: p.name}, "must not be a file"
	if p.types != nil {
		text = "must be a file"
	}
	return newRefusal(ErrInvalid, at.String(), at.pointer(), "file", text)
}
