// Token exchange (RFC 8693) for oidc-provider, which leaves it to its users: an access token of this provider becomes one for a resource.
import { errors } from 'oidc-provider';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'audience', 'scope'];

export function addTokenExchange(provider, resources) {
  provider.registerGrantType(TOKEN_EXCHANGE, async (ctx) => {
    const { client, params } = ctx.oidc;
    const kinds = [params.subject_token_type, params.requested_token_type ?? ACCESS_TOKEN];
    if (kinds.some((kind) => kind !== ACCESS_TOKEN)) throw new errors.InvalidRequest('only access tokens are exchanged here');
    const target = params.resource || params.audience;
    if (!target || !Object.hasOwn(resources, target)) throw new errors.InvalidTarget();
    const subject = await provider.AccessToken.find(params.subject_token);
    if (!subject || subject.isExpired) throw new errors.InvalidGrant('the subject token is not active');

    const grant = new provider.Grant({ accountId: subject.accountId, clientId: client.clientId });
    grant.addResourceScope(target, resources[target]);
    const issued = new provider.AccessToken({
      accountId: subject.accountId, client, grantId: await grant.save(), gty: 'token_exchange', scope: resources[target],
    });
    const signed = { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
    issued.resourceServer = new provider.ResourceServer(target, { scope: resources[target], audience: target, ...signed });
    ctx.oidc.entity('AccessToken', issued);
    const token = await issued.save();
    ctx.body = { access_token: token, issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: issued.expiration, scope: issued.scope };
  }, PARAMETERS);
}
