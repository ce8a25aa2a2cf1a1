import type { PoolService } from '../manager/service.ts';
import type { App } from './app.ts';
import type { Lifetime } from './lifetime.ts';
import type { Limits } from './options.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { leaseRoutes } from './routes/leases.ts';
import { operateRoutes } from './routes/operate.ts';
import { poolRoutes } from './routes/pool.ts';
import { requestRoutes } from './routes/requests.ts';
import { VIEWS } from './views.ts';

/** Every route that the OpenAPI document describes. */
export function addRoutes(app: App, service: PoolService, lifetime: Lifetime, limits: Limits): void {
  for (const view of VIEWS) app.addSchema(view);
  leaseRoutes(app, service, lifetime);
  requestRoutes(app, service);
  poolRoutes(app, service);
  eventRoutes(app, service, lifetime, limits);
  operateRoutes(app, service);
  healthRoutes(app, service, lifetime);
}
