package token

func (v *Verifier) canBind(member) bool { return false }
