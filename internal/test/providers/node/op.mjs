// An OpenID provider for tests: node op.mjs PORT CERTIFICATE KEY KEYS [rotate]
//
// PORT may be 0. KEYS is the file of the private keys, written if it is missing.
// "rotate" adds a new RSA key to them, which signs from then on. The issuer is
// printed when the provider serves. LOGOUT_URI gets the logout tokens. The process ends with its standard input.
import fs from 'node:fs';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { interactionPolicy } from 'oidc-provider';

const [port, certificate, key, keyFile, rotate] = process.argv.slice(2);
const redirect = 'https://client.example/callback';
const strong = 'urn:example:mfa';
process.stdin.on('end', () => process.exit()).resume();

async function newKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...await exportJWK(privateKey), kid: `${alg}-${crypto.randomUUID()}`, alg, use: 'sig' };
}

const keys = fs.existsSync(keyFile) ? JSON.parse(fs.readFileSync(keyFile)) : await Promise.all(['RS256', 'ES256', 'EdDSA', 'Ed25519', 'PS256'].map(newKey));
if (rotate) keys.unshift(await newKey('RS256'));
fs.writeFileSync(keyFile, JSON.stringify(keys));

const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
await new Promise((resolve) => { server.listen(Number(port), '127.0.0.1', resolve); });
const issuer = `https://127.0.0.1:${server.address().port}`;

// A client may ask for a class of login, which the session must have then.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check('acr_values', 'a stronger login is required', (ctx) => {
  const asked = ctx.oidc.params.acr_values;
  return asked && !asked.split(' ').includes(ctx.oidc.acr) ? interactionPolicy.Check.REQUEST_PROMPT : interactionPolicy.Check.NO_NEED_TO_PROMPT;
}));

const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], client_secret: 'machine-secret' };
const provider = new Provider(issuer, {
  jwks: { keys },
  clients: [
    { ...machine, client_id: 'machine' },
    { ...machine, client_id: 'bound', dpop_bound_access_tokens: true },
    {
      client_id: 'app', token_endpoint_auth_method: 'none', redirect_uris: [redirect], response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'], post_logout_redirect_uris: [redirect],
      ...(process.env.LOGOUT_URI ? { backchannel_logout_uri: process.env.LOGOUT_URI, backchannel_logout_session_required: true } : {}),
    },
  ],
  // The provider refuses to call loopback addresses, where the client of a test is.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  acrValues: [strong],
  interactions: { policy, url: (ctx, interaction) => `/login/${interaction.uid}` },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA', 'Ed25519', 'PS256'] },
  cookies: { keys: [crypto.randomUUID()] },
  ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // The clients are those of the owner of the API, so nobody asks for consent.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope(ctx.oidc.params.scope ?? '');
    for (const resource of [ctx.oidc.params.resource ?? []].flat()) grant.addResourceScope(resource, ctx.oidc.params.scope ?? '');
    await grant.save();
    return grant;
  },
  extraTokenClaims(ctx) {
    const code = ctx.oidc.entities.AuthorizationCode; // RFC 9068, section 2.2.1
    return code && { auth_time: code.authTime, acr: code.acr, amr: code.amr, sid: code.sid ?? code.grantId };
  },
  formats: {
    customizers: {
      jwt(ctx, token, jwt) {
        if (!token.aud.includes('expired')) return;
        jwt.payload.iat -= 7200;
        jwt.payload.exp -= 7200;
      },
    },
  },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    dPoP: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'orders:read orders:write', audience: resource, accessTokenTTL: 600,
        accessTokenFormat: resource.includes('opaque') ? 'opaque' : 'jwt',
        jwt: { sign: { alg: new URL(resource).searchParams.get('alg') ?? 'RS256' } },
      }),
    },
  },
});

// The page asks for a password, and for a code if the login must be strong. The
// consent of a user who is logged in is a click.
async function interact(req, res) {
  const { params, prompt } = await provider.interactionDetails(req, res);
  const mfa = (params.acr_values ?? '').split(' ').includes(strong);
  if (req.method === 'POST') {
    let body = '';
    for await (const chunk of req) body += chunk;
    const form = new URLSearchParams(body);
    if (prompt.name === 'consent') {
      await provider.interactionFinished(req, res, { consent: {} }, { mergeWithLastSubmission: true });
      return;
    }
    if (form.get('password') === 'right' && (!mfa || form.get('code') === '123456')) {
      const result = { accountId: form.get('username'), acr: mfa ? strong : 'urn:example:pwd', amr: mfa ? ['pwd', 'otp'] : ['pwd'] };
      await provider.interactionFinished(req, res, { login: result }, { mergeWithLastSubmission: false });
      return;
    }
  }
  res.setHeader('Content-Type', 'text/html');
  res.end(`<title>${prompt.name}</title><form method="post" action="${new URL(req.url, issuer).pathname}">
<input name="username"><input name="password" type="password">${mfa ? '<input name="code">' : ''}<button>Log in</button></form>`);
}

const rest = provider.callback();
server.on('request', (req, res) => {
  if (!req.url.startsWith('/login/')) {
    rest(req, res);
    return;
  }
  interact(req, res).catch((err) => {
    console.error(err);
    res.statusCode = 500;
    res.end();
  });
});
provider.on('backchannel.error', (ctx, err) => console.error(err));
console.log(issuer);
