import swagger from '@fastify/swagger';
import Fastify from 'fastify';
import type { PoolService } from '../manager/service.ts';
import type { App } from './app.ts';
import { doorTo } from './door.ts';
import { COMPILERS } from './http/checks.ts';
import { DEFAULT_LIMITS } from './options.ts';
import { addRoutes } from './routes.ts';
import { problemAnswers } from './views.ts';

/**
 * The OpenAPI 3.1 document of every route, as it is committed: a change of it shows as a change of lines. The routes are collected
 * from a server of its own that never listens, so that one that serves need not start with it.
 */
export async function openApiText(): Promise<string> {
  const app = Fastify({ schemaController: { compilersFactory: COMPILERS } }) as unknown as App;
  await describeRoutes(app);
  addRoutes(app, {} as PoolService, doorTo({} as PoolService, DEFAULT_LIMITS)); // nothing is asked of the service
  await app.ready();
  const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
  await app.close();
  return text;
}

async function describeRoutes(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Resource Pool Manager',
        version: 'v1',
        description:
          "Leases on a machine's capacity, from multi-tiered pools, by priority; every decision recorded as an event. Errors are RFC 9457 problems. Amounts in answers are integers in base units; instants are integer Unix ms.",
      },
      tags: ['leases', 'requests', 'pool', 'events', 'operate', 'health'].map((name) => ({ name })),
    },
    transform: ({ schema, url, route }) => ({
      url,
      schema: {
        ...schema,
        response: { ...(schema.response as object), ...problemAnswers(route.config?.problems ?? []) },
      },
    }),
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `schema-${i}`) },
  });
}
