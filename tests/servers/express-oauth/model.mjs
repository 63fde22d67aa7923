// What the package asks of its storage: https://node-oauthoauth2-server.readthedocs.io/en/master/model/overview.html

export const model = (client, scope) => {
  const codes = new Map();
  const byAccess = new Map();
  const byRefresh = new Map();
  return {
    getClient: (id, secret) => (id === client.id && (secret === null || secret === client.secret)) && client,
    validateScope: (user, of, asked) => asked?.every((one) => one === scope) && asked,
    saveAuthorizationCode: (code, of, user) => {
      const saved = { ...code, client: of, user };
      codes.set(code.authorizationCode, saved);
      return saved;
    },
    getAuthorizationCode: (code) => codes.get(code),
    revokeAuthorizationCode: ({ authorizationCode }) => codes.delete(authorizationCode),
    saveToken: (token, of, user) => {
      const saved = { ...token, client: of, user };
      byAccess.set(token.accessToken, saved);
      byRefresh.set(token.refreshToken, saved);
      return saved;
    },
    getAccessToken: (token) => byAccess.get(token),
    getRefreshToken: (token) => byRefresh.get(token),
    revokeToken: ({ refreshToken }) => byRefresh.delete(refreshToken),
  };
};
