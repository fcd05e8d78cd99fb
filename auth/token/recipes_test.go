package token_test

import (
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
)

// The Identity functions of docs/providers.md, which a test compares with the page.

func identifyAuth0(p token.Payload, id auth.Identity) (auth.Identity, error) {
	if p.Has("permissions") {
		id.Scope = p.Words("permissions") // granted by RBAC; scope is only what was requested
	}
	if p.Text("gty") == "client-credentials" || strings.HasSuffix(id.Subject, "@clients") {
		id.CallerType = auth.Program
	}
	return id, nil
}

func identifyEntra(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Subject, id.Scope, id.CredentialID = p.Text("oid"), p.Words("scp"), p.Text("uti")
	if p.Text("idtyp") == "app" || len(id.Scope) == 0 {
		id.CallerType = auth.Program
	}
	return id, nil
}

func identifyOkta(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Scope, id.Roles = p.Words("scp"), p.Words("groups")
	switch uid := p.Text("uid"); {
	case uid != "":
		id.Subject = uid // sub is the login name, which can be given to another user
	case id.Subject == p.Text("cid"):
		id.CallerType = auth.Program
	default:
		return id, auth.ErrInvalid
	}
	return id, nil
}

func identifyCognito(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Roles, id.SessionID = p.Words("cognito:groups"), p.Text("origin_jti")
	if !p.Has("username") && id.CallerType != auth.Program {
		return id, auth.ErrInvalid // a program has its client_id as the subject
	}
	return id, nil
}

func identifyKeycloak(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Roles = p.Words("resource_access", "orders", "roles") // not those of other clients, nor of the realm
	if client := p.Text("client_id"); client != "" && client == p.Text("azp") {
		id.CallerType = auth.Program // only service accounts have client_id
	}
	return id, nil
}

func identifyGoogle(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType = auth.Program
	if !p.Flag("email_verified") || !strings.HasSuffix(p.Text("email"), "@ring-prod.iam.gserviceaccount.com") {
		return id, auth.ErrInvalid
	}
	return id, nil
}

func identifyPerson(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Scope, id.Roles = auth.Person, nil, p.Words("roles")
	return id, nil
}

func identifySupabase(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.SessionID = auth.Person, p.Text("session_id")
	if p.Flag("is_anonymous") {
		return id, auth.ErrInvalid
	}
	return id, nil
}

func identifyClerk(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Roles = auth.Person, p.Words("o", "rol")
	return id, nil
}

func identifyWorkload(_ token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType = auth.Program
	return id, nil
}

func identifyZITADEL(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Roles = p.Names("urn:zitadel:iam:org:project:roles")
	return token.RFC9068(p, id)
}

func identifyDex(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Roles = auth.Person, p.Words("groups")
	return id, nil
}

func identifyHydra(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Scope = p.Words("scp")
	return token.RFC9068(p, id)
}

func identifyDuende(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Scope, id.Roles = p.Words("scope"), p.Words("role")
	if id.Subject == "" {
		id.Subject, id.CallerType = p.Text("client_id"), auth.Program
	}
	return id, nil
}

func identifySpring(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Scope = p.Words("scope")
	for _, name := range p.Words("aud") {
		if name == id.Subject {
			id.CallerType = auth.Program
		}
	}
	return id, nil
}

func identifyADFS(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Scope = auth.Person, p.Words("scp")
	return id, nil
}

func identifyWorkOS(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Scope = auth.Person, p.Words("permissions")
	if id.Subject == p.Text("client_id") {
		id.CallerType = auth.Program
	}
	return id, nil
}

func identifyDescope(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.Scope = auth.Person, p.Words("permissions")
	return id, nil
}

func identifyStytch(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.CallerType, id.SessionID = auth.Person, p.Text("https://stytch.com/session", "id")
	if strings.HasPrefix(id.Subject, "m2m-client-") {
		id.CallerType = auth.Program
	} else if id.SessionID == "" {
		return id, auth.ErrInvalid
	}
	return id, nil
}
