import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRoutes } from './app.js';
import { createCatalogue } from './catalogue.js';
import { createCheckout } from './checkout.js';
import { createListener, sendJson, sendText } from './http.js';
import { createLifecycle } from './lifecycle.js';
import { createLog } from './log.js';
import { createMetrics } from './metrics.js';
import { createPayments } from './payments.js';
import { createReservations } from './reservations.js';
import { createSeal } from './seal.js';
import { createSearch } from './search.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 8080);
const log = createLog({ service: 'shop', version, pid: process.pid });
if (process.env.SHOP_KEY === undefined)
  log.warn('SHOP_KEY is not set: carts are sealed with the well-known demo key');

const metrics = createMetrics(version);
const lifecycle = createLifecycle({ log });
const catalogue = createCatalogue();
const search = createSearch(catalogue.products);
const seal = createSeal(process.env.SHOP_KEY ?? 'demo');
const payments = createPayments();
const reservations = createReservations({ byId: catalogue.byId, settle: payments.settle });
const checkout = createCheckout({ byId: catalogue.byId, payments, reservations });

const routes = [
  ...createRoutes({ catalogue, search, checkout, reservations, seal, version }),
  {
    method: 'GET',
    path: '/healthz',
    handle: (_, response) => sendJson(response, 200, { status: 'ok', version }),
  },
  {
    method: 'GET',
    path: '/readyz',
    handle: (_, response) =>
      sendJson(response, lifecycle.ready() ? 200 : 503, { status: lifecycle.state(), version }),
  },
  {
    method: 'GET',
    path: '/metrics',
    handle: (_, response) => sendText(response, 200, 'text/plain; version=0.0.4', metrics.text()),
  },
];

const server = createServer(
  { keepAliveTimeout: 30_000, headersTimeout: 15_000, requestTimeout: 15_000 },
  createListener({ routes, metrics, log, version, stopping: lifecycle.stopping }),
);
server.on('error', (error) => {
  log.error('cannot listen', { host, port, error: error.message });
  process.exit(1);
});
server.listen(port, host, () => {
  log.info('listening', { host, port: server.address().port });
  lifecycle.warm(() => {
    for (const query of ['oak table', 'blanket', 'velevt cushoin', 'lamp', 'stoen'])
      for (let i = 0; i < 20; i++) search(query);
  });
});
lifecycle.stopOn(server, ['SIGTERM', 'SIGINT']);
