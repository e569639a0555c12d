'use strict';
// Sends the requests of a Node without NODE_USE_ENV_PROXY through HTTPS_PROXY:
// those of fetch, of http and of https. A newer Node does so by itself.

const proxy = proxyOf(process.env.HTTPS_PROXY);
if (proxy && !process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) {
  const tunnel = tunnelThrough(proxy);
  hookHttp(proxy);
  hookHttps(tunnel);
  if (globalThis.fetch) hookFetch(proxy, tunnel);
}

// proxyOf returns what is needed of an http URL, null for anything else.
function proxyOf(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.protocol !== 'http:') return null;
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    host: url.hostname,
    port: Number(url.port || 80),
    auth: 'Basic ' + Buffer.from(user).toString('base64'),
    direct: Symbol('straight to the proxy'),
  };
}

// authorityOf joins host and port, with brackets around an IPv6 address.
function authorityOf(host, port) {
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}

// onlyOnce returns done with all calls after the first one ignored: a socket
// that fails late has an owner who hears of it.
function onlyOnce(done) {
  let called = false;
  return (...args) => {
    if (called) return;
    called = true;
    done(...args);
  };
}

// tunnelThrough returns a function that opens a CONNECT tunnel, with TLS inside,
// and passes its socket to done.
function tunnelThrough({ host, port, auth, direct }) {
  const http = require('node:http');
  const tls = require('node:tls');
  const { isIP } = require('node:net');

  function connect(authority, done) {
    const req = http.request({
      host, port, method: 'CONNECT', path: authority, agent: false, [direct]: true,
      headers: { host: authority, 'proxy-authorization': auth },
    });
    const refused = (res) => done(new Error(`the proxy refused ${authority} with status ${res.statusCode}`));
    req.on('connect', (res, socket, head) => {
      if (res.statusCode !== 200) {
        socket.destroy();
        return refused(res);
      }
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    });
    req.on('response', (res) => { res.resume(); refused(res); });
    req.on('error', done);
    req.end();
  }

  return (options, whenDone) => {
    const done = onlyOnce(whenDone);
    const name = options.hostname || options.host;
    connect(authorityOf(name, options.port || 443), onlyOnce((err, socket) => {
      if (err) return done(err);
      const servername = options.servername || (isIP(name) ? '' : name);
      const inner = tls.connect({ ...options, socket, servername, path: undefined });
      inner.on('secureConnect', () => done(null, inner));
      inner.on('error', done);
    }));
  };
}

// hookHttp makes a plain request name its URL to the proxy.
function hookHttp({ host, port, auth, direct }) {
  const http = require('node:http');
  const addRequest = http.Agent.prototype.addRequest;

  // rewrite changes a head that is written already, as it is for headers in an
  // array and with Expect, and may wait to be sent.
  function rewrite(req, length) {
    const written = req._header;
    req._header = `${req.method} ${req.path} HTTP/` +
      written.slice(length).replace('\r\n', () => `\r\nProxy-Authorization: ${auth}\r\n`);
    for (const chunk of req.outputData) {
      if (typeof chunk.data !== 'string' || !chunk.data.startsWith(written)) continue;
      chunk.data = req._header + chunk.data.slice(written.length);
      req.outputSize += req._header.length - written.length;
    }
  }

  const elsewhere = (o) => typeof o !== 'object' || o === null || o.socketPath || o.createConnection || o[direct];

  http.Agent.prototype.addRequest = function (req, options, ...rest) {
    if (this.protocol !== 'https:' && !elsewhere(options) && req.path.startsWith('/')) {
      const authority = authorityOf(options.host, options.port || 80).replace(/:80$/, '');
      const length = `${req.method} ${req.path} HTTP/`.length;
      req.path = `http://${authority}${req.path}`;
      if (req._header) rewrite(req, length);
      else req.setHeader('proxy-authorization', auth);
      options.host = host;
      options.port = port;
    }
    return addRequest.call(this, req, options, ...rest);
  };
}

function hookHttps(tunnel) {
  const https = require('node:https');
  const createConnection = https.Agent.prototype.createConnection;
  https.Agent.prototype.createConnection = function (options, done, ...rest) {
    if (options.socketPath) return createConnection.call(this, options, done, ...rest);
    tunnel(options, done);
  };
}

// hookFetch puts an agent of ours in the place of the one that fetch has, each
// time that somebody has put another there; one that is no plain agent stays, as
// it knows a proxy of its own.
function hookFetch({ host, port, auth }, tunnel) {
  const dispatcher = Symbol.for('undici.globalDispatcher.1');
  const own = globalThis.fetch;
  const ours = new WeakSet();

  globalThis.fetch = function fetch(...args) {
    if (!globalThis[dispatcher]) own('data:,').catch(() => {}); // the first call makes it
    const agent = globalThis[dispatcher];
    if (agent && agent.constructor.name === 'Agent' && !ours.has(agent)) {
      const mine = proxied(agent.constructor);
      ours.add(mine);
      globalThis[dispatcher] = mine;
    }
    return own.apply(this, args);
  };

  function connect(options, whenDone) {
    if (options.protocol === 'https:') return tunnel({ ...options, ALPNProtocols: ['http/1.1'] }, whenDone);
    const done = onlyOnce(whenDone);
    const socket = require('node:net').connect({ host, port });
    socket.on('connect', () => done(null, socket));
    socket.on('error', done);
  }

  function withAuth(headers) {
    if (headers && typeof headers[Symbol.iterator] === 'function') {
      return [...headers].flat().concat('proxy-authorization', auth);
    }
    return { ...headers, 'proxy-authorization': auth };
  }

  function proxied(Agent) {
    const agent = new Agent({ connect });
    const dispatch = agent.dispatch.bind(agent);
    agent.dispatch = (options, handler) => {
      const { protocol, origin } = new URL(options.origin);
      if (protocol !== 'http:') return dispatch(options, handler);
      return dispatch({ ...options, path: origin + options.path, headers: withAuth(options.headers) }, handler);
    };
    return agent;
  }
}
