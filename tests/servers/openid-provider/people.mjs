// Who has an account. Their password is `pw-` and their id.

export const people = {
  alice: { name: 'Alice A', email: 'alice@example.test', email_verified: true, roles: ['ANALYST'], groups: ['analysts'], region: 'eu' },
  bob: { name: 'Bob B', email: 'bob@example.test', email_verified: true, roles: ['ANALYST', 'ADMIN'], groups: ['analysts', 'admins'], region: 'us' },
  carol: { name: 'Carol C', email: 'carol@example.test', email_verified: true, roles: [], groups: [], region: 'ap' },
  zoe: { name: 'Zoë 陳 Ω', email: 'zoe@example.test', email_verified: true, roles: ['ANALYST'], groups: ['analysts', 'équipe-données'], region: 'eu' },
};

// Any `guest<number>` is a person too, so that a load test has as many as it likes.
const guest = (id) => (/^guest\d+$/.test(id)
  ? { name: `Guest ${id.slice(5)}`, email: `${id}@example.test`, email_verified: true, roles: [], groups: ['guests'], region: 'eu' }
  : undefined);

export const personOf = (id) => (Object.hasOwn(people, id) ? people[id] : guest(id));

export const claimsOf = (id) => ({ sub: id, preferred_username: id, ...personOf(id) });

export const passwordFits = (id, password) => Boolean(personOf(id)) && password === `pw-${id}`;

export const setPerson = (id, patch) => { people[id] = { ...personOf(id), ...patch }; return people[id]; };
