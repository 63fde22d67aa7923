// @node-oauth/express-oauth-server as a provider: its three middlewares, a login form, and a model in memory that a restart forgets.
//   PORT=9000 APPS=http://localhost:8501/oauth2callback CLIENT_SECRET=… PEOPLE='{"alice": {…}}' node provider.mjs
// It ends when its standard input does, so it never outlives the test run.
import OAuthServer from '@node-oauth/express-oauth-server';
import express from 'express';
import { model } from './model.mjs';

const { PORT, APPS, CLIENT_SECRET, PEOPLE } = process.env;
const people = JSON.parse(PEOPLE);
const client = {
  id: 'the-app', secret: CLIENT_SECRET, redirectUris: APPS.split(' '), grants: ['authorization_code', 'refresh_token'],
};
const oauth = new OAuthServer({ model: model(client, 'profile'), accessTokenLifetime: 120 });

const byPassword = {
  handle: ({ body }) => Object.hasOwn(people, body.username) && people[body.username].password === body.password
    && { name: body.username },
};
const form = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in · Express</title><body><form method="post">
  <input name="username"><input name="password" type="password"><button id="go">Log in</button></form></body></html>`;

const app = express();
app.use((req, res, next) => { res.on('finish', () => console.log(`"${req.method} ${req.originalUrl}" ${res.statusCode}`)); next(); });
app.use(express.urlencoded({ extended: false }));
app.get('/authorize', (req, res) => res.send(form));
app.post('/authorize', oauth.authorize({ authenticateHandler: byPassword }));
app.post('/token', oauth.token());
app.get('/whoami', oauth.authenticate(), (req, res) => {
  const { name } = res.locals.oauth.token.user;
  const { first_name: first, last_name: last, email } = people[name];
  res.json({ account: { uid: name, display_name: `${first} ${last}`, mail: email } });
});
app.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
process.stdin.on('end', () => process.exit()).resume();
