// A browser's URL parser (Node's `URL` is WHATWG's) as a judge: where does each of the paths on stdin lead, from a page of the app?
let text = "";
for await (const chunk of process.stdin) text += chunk;
const { base, paths } = JSON.parse(text);
const led = paths.map((path) => {
  try {
    const url = new URL(path, base);
    return [url.origin, url.pathname];
  } catch {
    return ["", ""];
  }
});
process.stdout.write(JSON.stringify(led));
