package validate_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// TestRFC3339HasTwoDigitsInEachField_FV7 has the cases of JSON Schema's test
// suite, date-time.json, and those of package time that RFC 3339, section 5.6,
// does not have.
func TestRFC3339HasTwoDigitsInEachField_FV7(t *testing.T) {
	ok := validate.Formats()["rfc3339"]
	for _, s := range []string{
		"1963-06-19T08:30:06.283185Z", "1963-06-19T08:30:06Z", "1937-01-01T12:00:27.87+00:20", "1990-12-31T15:59:50.123-08:00", "2020-02-29T23:59:59+23:59", "2000-02-29T00:00:00Z", "2024-01-01T03:04:05.123456789Z", "2024-01-01T03:04:05.1Z",
		"2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00-00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
	} {
		require.True(t, ok(s), s)
		_, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err, "the handler must be able to parse what is accepted")
	}
	for _, s := range []string{
		"2024-01-01T3:04:05Z", "2024-01-01T24:00:00Z", "2024-01-01T23:60:00Z", "2024-01-01T03:04:05.1234567890Z", "2024-01-01T03:04:05,5Z", "2024-01-01T03:04:05." + strings.Repeat("0", 60_000) + "Z",
		"2024-01-01T03:04:05.Z", "2024-01-01T03:04:05", "2024-01-01T03:04Z", "2024-01-01 03:04:05Z", "2024-01-01t03:04:05Z", "2024-01-01T03:04:05z", "2024-1-01T03:04:05Z", "2024-01-1T03:04:05Z", "24-01-01T03:04:05Z",
		"2024-01-01T03:04:05+1:00", "2024-01-01T03:04:05+0100", "2024-01-01T03:04:05+24:00", "2024-01-01T03:04:05-24:00", "2024-01-01T03:04:05+10:60", "2024-01-01T03:04:05+10", "2024-01-01T03:04:05+01:00Z", "2024-01-01T03:04:05Z ",
		"2024-00-01T03:04:05Z", "2024-13-01T03:04:05Z", "2024-01-00T03:04:05Z", "2024-04-31T03:04:05Z", "2023-02-29T03:04:05Z", "1900-02-29T03:04:05Z", "1998-12-31T23:59:60Z", "1998-12-31T23:59:61Z", "1998-12-31T15:59:60.123-08:00",
		"1963-06-11T0\u09ea:00:00Z", "1963-06-1\u09eaT00:00:00Z", "+11963-06-19T08:30:06Z", "2013-350T01:01:01", "06/19/1963 08:30:06 PST", "2024-01-01T+3:04:05Z", "2024-01-01T-3:04:05Z", "", "Z", "\x002024-01-01T03:04:05Z",
	} {
		require.False(t, ok(s), "%.60s", s)
	}
}

// TestDatetimeRequiresTheFormOfItsLayout_FV7: what package time would write in the
// layout is accepted, and nothing else that it would read.
func TestDatetimeRequiresTheFormOfItsLayout_FV7(t *testing.T) {
	type clock struct {
		Time  string `json:"time" validate:"omitempty,datetime=15:04"`
		Day   string `json:"day" validate:"omitempty,datetime=2006-01-02"`
		Zone  string `json:"zone" validate:"omitempty,datetime=2006-01-02T15:04:05Z07:00"`
		Short string `json:"short" validate:"omitempty,datetime=15:04Z0700"`
		Signs string `json:"signs" validate:"omitempty,datetime=15:04-07:00"`
		Month string `json:"month" validate:"omitempty,datetime=Jan _2 2006"`
		Milli string `json:"milli" validate:"omitempty,datetime=15:04:05.000"`
		Loose string `json:"loose" validate:"omitempty,datetime=3:04PM"`
	}
	for _, o := range []validate.Options{{Logger: quiet, Strict: true}, {Logger: quiet, Setup: noRules}} {
		h := errors.Must(validate.JSON[clock](o))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for body, want := range map[string]int{
			`{"time":"03:04"}`: 200, `{"time":"3:04"}`: 422, `{"time":"24:00"}`: 422, `{"time":"03:4"}`: 422, `{"time":" 3:04"}`: 422,
			`{"day":"2024-02-29"}`: 200, `{"day":"2024-02-30"}`: 422, `{"day":"2024-2-29"}`: 422,
			`{"zone":"2024-01-01T03:04:05Z"}`: 200, `{"zone":"2024-01-01T03:04:05+00:00"}`: 200, `{"zone":"2024-01-01T03:04:05-00:00"}`: 200, `{"zone":"2024-01-01T03:04:05-08:30"}`: 200, `{"zone":"2024-01-01T3:04:05Z"}`: 422,
			`{"zone":"2024-01-01T03:04:05.5Z"}`: 422, `{"zone":"2024-01-01T03:04:05,5Z"}`: 422, `{"zone":"2024-01-01T03:04:05+24:00"}`: 422, `{"zone":"2024-01-01T03:04:05+10:60"}`: 422, `{"zone":"2024-01-01T03:04:05-24:00"}`: 422,
			`{"zone":"2024-01-01T03:04:05.` + strings.Repeat("0", 60_000) + `Z"}`: 422,
			`{"short":"03:04Z"}`: 200, `{"short":"03:04+0000"}`: 200, `{"short":"03:04-0000"}`: 200, `{"short":"03:04+0130"}`: 200, `{"short":"03:04+2400"}`: 422, `{"signs":"03:04+00:00"}`: 200, `{"signs":"03:04-00:00"}`: 200, `{"signs":"03:04Z"}`: 422,
			`{"month":"Jan  2 2024"}`: 200, `{"month":"JAN  2 2024"}`: 422, `{"month":"Jan 2 2024"}`: 422, `{"month":"Jan 02 2024"}`: 422,
			`{"milli":"03:04:05.120"}`: 200, `{"milli":"03:04:05.12"}`: 422, `{"milli":"03:04:05,120"}`: 422, `{"milli":"03:04:05.1200"}`: 422, `{"loose":"3:04PM"}`: 200, `{"loose":"03:04PM"}`: 422,
		} {
			require.Equal(t, want, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code, "%.60s", body)
		}
	}
}

func TestDatetimeAllocatesNothing_FV7(t *testing.T) {
	ok := validate.Formats()["rfc3339"]
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if !ok("2024-02-29T03:04:05.123-08:00") || !validate.DateTime("2006-01-02T15:04:05Z07:00", "2024-02-29T03:04:05-08:00") {
			t.Fail()
		}
	}))
}

// TestStrictCountsOnlyRealBounds_FV7: a schema is bounded if no text of any
// length can hold its rules.
func TestStrictCountsOnlyRealBounds_FV7(t *testing.T) {
	compile := func(tag string) error {
		_, err := validate.Compile(reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"a" validate:"` + tag + `"`)},
		}), validate.Options{Logger: quiet, Strict: true, Patterns: map[string]string{"p": "a*"}})
		return err
	}
	for _, tag := range []string{
		"max=5", "len=5", "lte=5", "lt=5", "eq=abc", "oneof=a b", "max=5|len=9", "max=5|email", "email|hostname", "rfc3339", "datetime=2006-01-02", "datetime=15:04|rfc3339", "hostname_port", "omitempty,max=5", "min=1,max=5,contains=a", "contains=a,max=5|len=9",
		"email", "ip", "ipv4", "ipv6", "cidr", "hostname", "fqdn", "uuid", "uuid4", "hostname_label", "isdefault",
		"iso3166_1_alpha2", "iso3166_1_alpha2_eu", "iso3166_1_alpha3", "iso3166_1_alpha3_eu", "iso3166_2", "iso4217", "bic", "bic_iso_9362_2014", "mac", "hexcolor", "boolean", "ssn", "isbn", "isbn10", "isbn13", "issn", "md5", "sha256", "sha384", "sha512",
	} {
		require.NoError(t, compile(tag), tag)
	}
	for _, tag := range []string{
		"max=5|contains=a", "contains=a|max=5", "rfc3339|contains=a", "len=5|min=9", "email|url", "oneof=a|alpha", "min=5", "gt=5", "ne=abc", "contains=a", "url", "uri", "pattern=p", "alphanum", "required", "omitempty", "omitempty|max=5", "number", "e164|number", "startswith=a",
		"postcode_iso3166_alpha2=GB", "country_code", "iso3166_1_alpha_numeric", "credit_card", "semver", "jwt",
	} {
		require.ErrorContains(t, compile(tag), "is unbounded", tag)
	}
}

// A rule that bounds the length refuses longer texts with any prefix.
func TestBoundedFormatsRefuseLongTexts_FV7(t *testing.T) {
	long := strings.Repeat("1", 60_000)
	rules := validate.Formats()
	for _, name := range []string{"uuid", "uuid3", "uuid4", "uuid5", "uuid7", "ulid", "e164",
		"iso3166_1_alpha2", "iso3166_1_alpha2_eu", "iso3166_1_alpha3", "iso3166_1_alpha3_eu", "iso3166_2", "iso4217", "bic", "bic_iso_9362_2014", "mac", "hexcolor", "boolean", "ssn", "isbn", "isbn10", "isbn13", "issn", "md5", "sha256", "sha384", "sha512"} {
		rules[name] = func(s string) bool { return validator.New().Var(s, name) == nil }
	}
	for name, ok := range rules {
		if !validate.IsBounded(name) {
			continue
		}
		for _, s := range []string{"a" + long, "a." + long, "a@b." + long + ".com", long + "@a.example", "a.example:" + long, "2024-01-01T03:04:05." + long + "Z", "::" + long, "1.2.3." + long, "1.2.3.4/" + long, strings.Repeat("a.", 30_000) + "a", strings.Repeat("0", 60_000) + "1", "::1%" + long, "GB" + long, "#fff" + long, "00:00:5e:00:53:01" + long, "true" + long, "978-3-16-148410-0" + strings.Repeat("-", 60_000), strings.Repeat("a", 60_000)} {
			require.False(t, ok(s), "%s takes %.40s...", name, s)
		}
	}
}
