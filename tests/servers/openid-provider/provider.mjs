// The certified OpenID provider (npm oidc-provider) as the test suite needs it. Started by tests/servers/openid_provider.py.
//   PORT=9000 ISSUER=http://127.0.0.1:9000 APP=http://localhost:8501,http://localhost:8502 node provider.mjs
// It ends when its standard input does, so it never outlives the test run. AT_TTL, ID_TTL and RT_TTL are lifetimes in seconds.
// CLIENT_JWK is the public key of client `pkjwt`; REQUIRE_PAR=1 takes pushed authorization requests only.
import crypto from 'node:crypto';
import Provider, { errors, interactionPolicy } from 'oidc-provider';
import * as jose from 'jose';
import { Clients } from './clients.mjs';
import { control, formOf } from './control.mjs';
import { addTokenExchange } from './exchange.mjs';
import { claimsOf, passwordFits, personOf } from './people.mjs';
import { adapter } from './store.mjs';

const PORT = Number(process.env.PORT);
const ISSUER = process.env.ISSUER || `http://127.0.0.1:${PORT}`;
const seconds = (name, otherwise) => Number(process.env[name] || otherwise);

const newKey = async (alg) => {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), kid: crypto.randomBytes(4).toString('hex'), alg, use: 'sig' };
};

// Streamlit's st.login sends prompt=select_account. With one account a browser, the session that is there is the selection.
const policy = interactionPolicy.base();
const selectAccount = new interactionPolicy.Prompt({ name: 'select_account', requestable: true });
selectAccount.checks.clear();
policy.add(selectAccount, 0);

const clients = new Clients((process.env.APP || '').split(',').filter(Boolean));
const events = [];
const RESOURCES = { 'urn:snowflake': 'session:role-any', 'https://api.example/sales': 'sales:read' };

const provider = new Provider(ISSUER, {
  adapter: adapter(clients),
  jwks: { keys: [await newKey('RS256'), await newKey('ES256')] },
  findAccount: (ctx, id) => personOf(id) && { accountId: id, claims: async () => claimsOf(id) },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'roles', 'groups', 'region'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'profile', 'email', ...Object.values(RESOURCES)],
  acrValues: ['urn:test:pwd', 'urn:test:gold'],      // who gives a password here gets the first, whatever they ask for
  cookies: { keys: [crypto.randomBytes(16).toString('hex')] },
  conformIdTokenClaims: false,                       // profile and e-mail stand in the ID token, as most companies' providers do it
  pkce: { required: (ctx, client) => client.clientId.startsWith('public') },
  rotateRefreshToken: () => true,                    // a second use of a refresh token revokes the whole grant
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  ttl: {
    AccessToken: seconds('AT_TTL', 300), IdToken: seconds('ID_TTL', 300), RefreshToken: seconds('RT_TTL', 3600),
    Session: 86400, Grant: 86400, Interaction: 600, AuthorizationCode: 60,
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  extraTokenClaims: async (ctx, { accountId }) => (accountId ? { roles: personOf(accountId).roles, preferred_username: accountId } : {}),
  features: {
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: Boolean(process.env.REQUIRE_PAR) },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: logoutPage },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => {
        if (!Object.hasOwn(RESOURCES, resource)) throw new errors.InvalidTarget();
        return { scope: RESOURCES[resource], audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),   // its guard would cut back-channel calls to loopback
  interactions: { policy, url: (ctx, { uid }) => `/interaction/${uid}` },
  renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = page('Refused', `<pre id="error">${escaped(JSON.stringify(out))}</pre>`); },
});

function escaped(text) { return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`); }

function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title} · test provider</title><body><h1>${title}</h1>${body}</body></html>`;
}

async function logoutPage(ctx, form) {               // answers "yes, at the provider too" by itself
  ctx.body = page('Logging out', `${form}<script>
    const [form] = document.forms, yes = document.createElement('input');
    Object.assign(yes, { type: 'hidden', name: 'logout', value: 'yes' });
    form.append(yes); form.submit();</script>`);
}

const loginPage = (hint, wrong) => page('Log in', `<form method="post">
  ${wrong ? '<p id="wrong">Wrong name or password.</p>' : ''}
  <label>Name <input name="username" autocomplete="off" value="${escaped(hint || '')}"></label>
  <label>Password <input name="password" type="password" autocomplete="off"></label>
  <button id="go">Log in</button> <button id="cancel" name="cancel" value="1">Cancel</button></form>`);

const finish = (ctx, result) => {
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
};

const login = async (ctx, { params }) => {
  const answer = ctx.method === 'POST' ? await formOf(ctx) : {};
  if (answer.cancel) return finish(ctx, { error: 'access_denied', error_description: 'the person said no' });
  if (passwordFits(answer.username ?? '', answer.password)) {
    return finish(ctx, { login: { accountId: answer.username, amr: ['pwd'], acr: 'urn:test:pwd' } });
  }
  ctx.type = 'html';
  ctx.body = loginPage(answer.username ?? params.login_hint, ctx.method === 'POST');
  return undefined;
};

const consent = async (ctx, { grantId, params, prompt: { details }, session }) => {
  const grant = (grantId && await provider.Grant.find(grantId))
    || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
  if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return finish(ctx, { consent: { grantId: await grant.save() } });
};

addTokenExchange(provider, RESOURCES);
provider.use(control(clients, events));
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const interaction = await provider.interactionDetails(ctx.req, ctx.res);
  return { login, consent }[interaction.prompt.name](ctx, interaction);
});

for (const name of ['grant.success', 'grant.error', 'grant.revoked', 'backchannel.success', 'backchannel.error', 'server_error',
  'authorization.error', 'end_session.success', 'end_session.error', 'revocation.error', 'userinfo.error']) {
  provider.on(name, (ctx, ...rest) => {
    const problem = rest.find((r) => r instanceof Error);
    events.push({ name, path: ctx?.path, client: ctx?.oidc?.client?.clientId, grant_type: ctx?.oidc?.params?.grant_type,
      problem: problem && `${problem.message}: ${problem.error_description ?? ''} ${problem.error_detail ?? ''}` });
    if (name === 'server_error') console.error(problem);
  });
}

process.stdin.on('end', () => process.exit(0)).resume();
provider.listen(PORT, '127.0.0.1', () => console.log(`ready ${ISSUER}`));
