// The apps that may log people in here. `web` answers to every known origin (back-channel logout goes to the newest);
// `web-8501` is the same client for http://localhost:8501 alone, with a back channel of its own.

import { TOKEN_EXCHANGE } from './exchange.mjs';

const KINDS = {
  web: { client_secret: 'web-secret', token_endpoint_auth_method: 'client_secret_basic' },
  webpost: { client_secret: 'webpost-secret', token_endpoint_auth_method: 'client_secret_post' },
  second: { client_secret: 'second-secret', token_endpoint_auth_method: 'client_secret_basic' },
  pkjwt: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: process.env.CLIENT_JWK ? [JSON.parse(process.env.CLIENT_JWK)] : [] } },
  par: { client_secret: 'par-secret', require_pushed_authorization_requests: true },
  es: { client_secret: 'es-secret', id_token_signed_response_alg: 'ES256' },
  public: { token_endpoint_auth_method: 'none' },
};
const BASES = ['', '/app'];

export class Clients {
  constructor(origins) { this.origins = new Set(origins); }

  add(origin) {
    this.origins.delete(origin);            // so that it becomes the newest
    this.origins.add(origin);
  }

  find(id) {
    const [, kind, port] = /^([a-z]+)(?:-(\d+))?$/.exec(id) ?? [];
    if (!Object.hasOwn(KINDS, kind ?? '')) return undefined;
    const origins = port ? [`http://localhost:${port}`] : [...this.origins];
    const everywhere = (...paths) => origins.flatMap((o) => BASES.flatMap((b) => paths.map((p) => `${o}${b}${p}`)));
    return {
      client_id: id,
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', TOKEN_EXCHANGE],
      redirect_uris: everywhere('/oauth2callback'),
      post_logout_redirect_uris: everywhere('/', '/auth/ended', '/oauth2callback'),
      backchannel_logout_uri: `${origins.at(-1)}/auth/backchannel-logout`,
      backchannel_logout_session_required: true,
      ...KINDS[kind],
    };
  }
}
