// What a test may do to the provider while it runs: faults, counts, people, apps. Everything is JSON under /_test/.

import { setPerson } from './people.mjs';

const bodyOf = async (ctx) => {
  let text = '';
  for await (const chunk of ctx.req) text += chunk;
  return text;
};

export const formOf = async (ctx) => Object.fromEntries(new URLSearchParams(await bodyOf(ctx)));

export const control = (clients, events) => {
  let faults = {};
  let counts = {};
  const commands = {
    faults: (wanted) => { faults = wanted === null ? {} : { ...faults, ...wanted }; return faults; },
    counts: (reset) => { const before = counts; if (reset) counts = {}; return before; },
    events: (reset) => (reset ? events.splice(0) : events),
    apps: ({ origin }) => { clients.add(origin); return [...clients.origins]; },
    people: ({ id, patch }) => setPerson(id, patch),
  };
  return async (ctx, next) => {
    const [, command] = /^\/_test\/(\w+)$/.exec(ctx.path) ?? [];
    if (command && Object.hasOwn(commands, command)) {
      ctx.body = commands[command](JSON.parse((await bodyOf(ctx)) || 'null')) ?? null;
      return;
    }
    counts[ctx.path] = (counts[ctx.path] ?? 0) + 1;
    const fault = faults[ctx.path];
    if (!fault || fault.times-- <= 0) { await next(); return; }
    if (fault.delay) await new Promise((done) => { setTimeout(done, fault.delay * 1000); });
    if (!fault.status) { await next(); return; }
    ctx.status = fault.status;
    ctx.type = fault.type ?? 'text/plain';
    ctx.body = fault.body ?? 'a fault that the test asked for';
  };
};
