package validate

import "slices"

// members adds the members of a struct to an object.
func (e *exporter) members(o keywords, f *fields) {
	for _, m := range f.all {
		if m.name == "" {
			e.embed(o, m.check)
		}
	}
	for _, m := range f.all { // after embedded structs, whose members they shadow
		if m.name == "" {
			continue
		}
		o["properties"].(keywords)[m.name] = e.valueSchema(m.check)
		if e.needed(m.check) {
			o["required"] = append(o["required"].([]string), m.name)
		}
	}
}

// embed adds the members of an embedded struct. Behind a pointer, a member is required
// only if another one is present, because any member creates the struct. A rule of the
// embedded struct itself applies to its members together.
func (e *exporter) embed(o keywords, c *check) {
	inner := keywords{"properties": keywords{}, "required": []string{}}
	e.members(inner, c.fields)
	properties, required := inner["properties"].(keywords), inner["required"].([]string)
	outer := o["properties"].(keywords)
	zeros := keywords{}
	e.zeros(zeros, c.fields)
	first, _, _ := cutRule(c.tag)
	switch {
	case len(c.hops) > 0:
		for name, value := range properties {
			outer[name] = value
			if others := slices.DeleteFunc(slices.Clone(required), func(other string) bool { return other == name }); len(others) > 0 {
				dependent(o)[name] = others
			}
		}
		if c.needed {
			addAll(o, keywords{"anyOf": anyMember(properties)})
		}
	case (first == "omitempty" || first == "omitzero") && len(properties) > 0:
		for name := range properties {
			outer[name] = keywords{}
		}
		addAll(o, keywords{"anyOf": []keywords{{"properties": zeros}, inner}})
		return
	default:
		for name, value := range properties {
			outer[name] = value
		}
		o["required"] = append(o["required"].([]string), required...)
		if c.required {
			addAll(o, keywords{"not": keywords{"properties": zeros}})
		}
	}
	for name, others := range dependent(inner) {
		dependent(o)[name] = mergeNames(dependent(o)[name], others.([]string))
	}
	if len(dependent(o)) == 0 {
		delete(o, "dependentRequired")
	}
	list, _ := inner["allOf"].([]keywords)
	switch {
	case len(list) == 0:
	case len(c.hops) == 0:
		addAll(o, list...)
	default: // they apply if the struct exists
		for _, one := range anyMember(properties) {
			addAll(o, keywords{"anyOf": []keywords{{"not": one}, {"allOf": list}}})
		}
	}
}

// anyMember returns, for each member, the schema of an object that has it.
func anyMember(properties keywords) []keywords {
	list := []keywords{}
	for name := range properties {
		list = append(list, keywords{"required": []string{name}})
	}
	slices.SortFunc(list, func(a, b keywords) int { return slices.Compare(a["required"].([]string), b["required"].([]string)) })
	return list
}

// dependent returns the members that each member requires.
func dependent(o keywords) keywords {
	if o["dependentRequired"] == nil {
		o["dependentRequired"] = keywords{}
	}
	return o["dependentRequired"].(keywords)
}

func mergeNames(a any, b []string) []string {
	list, _ := a.([]string)
	list = append(slices.Clone(list), b...)
	slices.Sort(list)
	return slices.Compact(list)
}

// addAll adds schemas to the allOf of an object.
func addAll(o keywords, more ...keywords) {
	list, _ := o["allOf"].([]keywords)
	o["allOf"] = append(list, more...)
}
