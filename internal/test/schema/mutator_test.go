package schema_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
)

// mutator changes one place of a document.
type mutator struct {
	*rand.Rand
	types bool
}

// all returns the document with each change at each place.
func (m mutator) all(root any) []string {
	var texts []string
	m.visit(root, func(changed any) {
		text, err := json.Marshal(changed)
		if err == nil {
			texts = append(texts, string(text))
		}
	})
	return texts
}

// visit calls with for each change of a value and below it.
func (m mutator) visit(v any, with func(any)) {
	for _, other := range m.others(v) {
		with(other)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			change := func(edit func(map[string]any)) {
				c := maps.Clone(v)
				edit(c)
				with(c)
			}
			change(func(c map[string]any) { delete(c, name) })
			if !m.types {
				for _, other := range []string{strings.ToUpper(name), "", "1", "-0", "01", "x y", "ä", name + "x", "2", "1.5", "-1", "abc"} {
					change(func(c map[string]any) { c[other] = c[name]; delete(c, name) })
				}
			}
			m.visit(v[name], func(child any) { change(func(c map[string]any) { c[name] = child }) })
		}
		for _, name := range []string{"unknown", "2"} {
			c := maps.Clone(v)
			c[name] = json.Number("1")
			with(c)
		}
	case []any:
		for i := range v {
			with(slices.Delete(slices.Clone(v), i, i+1))
			with(append(slices.Clone(v), v[i]))
			with(append(slices.Clone(v), v[i], v[i]))
			m.visit(v[i], func(child any) {
				c := slices.Clone(v)
				c[i] = child
				with(c)
			})
		}
	}
}

// others are the values in the place of another.
func (m mutator) others(v any) []any {
	number := func(texts ...string) (list []any) {
		for _, text := range texts {
			list = append(list, json.Number(text))
		}
		return list
	}
	list := []any{nil, true, false, []any{}, []any{nil}, map[string]any{}, map[string]any{"x": json.Number("1")}}
	list = append(list, number("0", "1", "-1", "2", "3", "4", "127", "128", "255", "256", "-129", "65536", "1.5", "0.5", "2.5", "-0.5")...)
	if !m.types {
		for _, text := range []string{"", "a", "A", "ab", "abc", "0", "1", "-1", "-0", "01", "1.5", "1e2", " 1", "+1", "x", "ä", "äö", "a\n", "\n", "a-b", "YQ==", "YWI=", "YWJj", "YWJjZA==", "AA==", "AAAA", "aé", "\u2028", "ſ", "K", "日本"} {
			list = append(list, text)
		}
	}
	switch v := v.(type) {
	case string:
		if !m.types {
			list = append(list, strings.ToUpper(v), strings.ToLower(v), v+"a", v+"A", v+"ä", v+"\n", " "+v, v+v, strings.TrimSuffix(v, "="))
			if v != "" {
				list = append(list, v[:len(v)/2], v[1:])
			}
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			for _, step := range []int64{-2, -1, 1, 2} {
				list = append(list, n+step)
			}
			list = append(list, json.Number(v.String()+"0"))
			if !m.types {
				list = append(list, v.String())
			}
		}
	}
	return slices.DeleteFunc(list, func(other any) bool { return reflect.DeepEqual(v, other) })
}
