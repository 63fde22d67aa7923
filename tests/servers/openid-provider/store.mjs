// What the provider keeps, in memory: unbounded, unlike the package's own adapter (1000 records, which a load test outgrows).
// Clients are made on demand, so that apps may take whatever port is free after the provider has started.

const records = new Map();
const byUid = new Map();
const byGrant = new Map();

class Records {
  constructor(name) { this.name = name; }

  key(id) { return `${this.name}:${id}`; }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    records.set(key, { payload, expiresAt: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.uid) byUid.set(`${this.name}:${payload.uid}`, id);
    if (payload.grantId) byGrant.set(payload.grantId, (byGrant.get(payload.grantId) ?? new Set()).add(key));
  }

  async find(id) {
    const record = records.get(this.key(id));
    return record && record.expiresAt > Date.now() ? record.payload : undefined;
  }

  async findByUid(uid) { return this.find(byUid.get(`${this.name}:${uid}`)); }

  async findByUserCode() { return undefined; }

  async consume(id) {
    const payload = await this.find(id);
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) { records.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) records.delete(key);
    byGrant.delete(grantId);
  }
}

export const adapter = (clients) => (name) => {
  if (name !== 'Client') return new Records(name);
  const registered = new Records(name);
  registered.find = async (id) => clients.find(id);
  return registered;
};
