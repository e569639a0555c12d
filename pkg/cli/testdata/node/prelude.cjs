// What the scripts of nodehook_test.go share: a request in each way of Node's,
// as a promise of { status, text }.
const http = require('node:http');
const https = require('node:https');

globalThis.O = `https://${process.env.ORIGIN}`;
globalThis.P = `http://${process.env.PLAIN}`;
globalThis.viaFetch = async (url, options) => {
  const res = await fetch(url, options);
  return { status: res.status, text: await res.text() };
};
globalThis.viaModule = (url, options = {}, body) => new Promise((resolve, reject) => {
  const req = (url.startsWith('https:') ? https : http).request(url, options, (res) => {
    let text = '';
    res.on('data', (chunk) => { text += chunk; });
    res.on('end', () => resolve({ status: res.statusCode, text }));
    res.on('error', reject);
  });
  req.on('error', reject);
  req.end(body);
});
globalThis.show = (r) => console.log(r.status, r.text.trim());
globalThis.rejected = (p) => p.then(() => console.log('no error'), (err) => console.log('rejected', (err.cause || err).message));
