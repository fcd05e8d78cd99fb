package validate

func (p *plan) schema() ([]byte, error) { return nil, nil }
