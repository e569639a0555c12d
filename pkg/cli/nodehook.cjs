'use strict';
// Sends the requests of a Node without NODE_USE_ENV_PROXY through HTTPS_PROXY:
// those of fetch, of http and of https. A newer Node does so by itself.

const proxyUrl = process.env.HTTPS_PROXY;
if (proxyUrl && !process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) install(new URL(proxyUrl));

function install(proxy) {
  const http = require('node:http');
  const https = require('node:https');
  const tls = require('node:tls');
  const text = (s) => decodeURIComponent(s);
  const auth = 'Basic ' + Buffer.from(`${text(proxy.username)}:${text(proxy.password)}`).toString('base64');
  const direct = Symbol('straight to the proxy');

  // tunnel opens a CONNECT tunnel and passes its socket to done.
  function tunnel(host, port, done) {
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const req = http.request({
      host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: authority, agent: false,
      headers: { host: authority, 'proxy-authorization': auth }, [direct]: true,
    });
    const refused = (status) => done(new Error(`the proxy refused ${authority} with status ${status}`));
    req.once('connect', (res, socket, head) => {
      if (res.statusCode !== 200) {
        socket.destroy();
        return refused(res.statusCode);
      }
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    });
    req.once('response', (res) => { res.resume(); refused(res.statusCode); });
    req.once('error', done);
    req.end();
  }

  // secure opens a tunnel with TLS inside and passes that to done.
  function secure(options, done) {
    const host = options.hostname || options.host;
    tunnel(host, options.port || 443, (err, socket) => {
      if (err) return done(err);
      const servername = options.servername || (require('node:net').isIP(host) ? '' : host);
      const inner = tls.connect({ ...options, socket, servername, path: undefined });
      inner.once('secureConnect', () => done(null, inner));
      inner.once('error', done);
    });
  }

  https.Agent.prototype.createConnection = function (options, done) {
    let once = (err, socket) => { once = () => {}; done(err, socket); };
    secure(options, (err, socket) => once(err, socket));
  };

  // A plain request names its URL to the proxy.
  const addRequest = http.Agent.prototype.addRequest;
  http.Agent.prototype.addRequest = function (req, options, ...rest) {
    const plain = this.protocol !== 'https:' && !(options && (options.socketPath || options[direct]));
    if (plain && options && req.path.startsWith('/')) {
      const port = options.port && Number(options.port) !== 80 ? `:${options.port}` : '';
      req.path = `http://${options.host}${port}${req.path}`;
      req.setHeader('proxy-authorization', auth);
      options.host = proxy.hostname;
      options.port = proxy.port;
    }
    return addRequest.call(this, req, options, ...rest);
  };

  // fetch has an agent of its own, which is there once fetch has been called.
  const dispatcher = Symbol.for('undici.globalDispatcher.1');
  const fetch = globalThis.fetch;
  globalThis.fetch = function (...args) {
    globalThis.fetch = fetch;
    if (!globalThis[dispatcher]) fetch('data:,').catch(() => {});
    const own = globalThis[dispatcher];
    if (own && own.constructor.name === 'Agent') globalThis[dispatcher] = proxied(own.constructor);
    return fetch.apply(this, args);
  };

  function proxied(Agent) {
    const connect = (options, done) => {
      if (options.protocol !== 'https:') {
        const socket = require('node:net').connect({ host: proxy.hostname, port: proxy.port });
        socket.once('connect', () => done(null, socket));
        socket.once('error', done);
        return;
      }
      let once = (err, socket) => { once = () => {}; done(err, socket); };
      secure({ ...options, ALPNProtocols: ['http/1.1'] }, (err, socket) => once(err, socket));
    };
    const agent = new Agent({ connect });
    const dispatch = agent.dispatch.bind(agent);
    agent.dispatch = (options, handler) => {
      const origin = String(options.origin);
      if (!origin.startsWith('http:')) return dispatch(options, handler);
      const headers = Array.isArray(options.headers)
        ? [...options.headers, 'proxy-authorization', auth]
        : { ...options.headers, 'proxy-authorization': auth };
      return dispatch({ ...options, path: origin + options.path, headers }, handler);
    };
    return agent;
  }
}
