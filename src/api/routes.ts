import type { PoolService } from '../manager/service.ts';
import type { App } from './app.ts';
import type { Door } from './door.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { leaseRoutes } from './routes/leases.ts';
import { operateRoutes } from './routes/operate.ts';
import { poolRoutes } from './routes/pool.ts';
import { requestRoutes } from './routes/requests.ts';
import { VIEWS } from './views.ts';

/** Every route that the OpenAPI document describes. */
export function addRoutes(app: App, service: PoolService, door: Door): void {
  for (const view of VIEWS) app.addSchema(view);
  leaseRoutes(app, service, door.lifetime);
  requestRoutes(app, service);
  poolRoutes(app, service, door);
  eventRoutes(app, service, door);
  operateRoutes(app, service);
  healthRoutes(app, service, door.lifetime);
}
