import swagger from '@fastify/swagger';
import type { App } from './app.ts';
import { problemAnswers } from './views.ts';

/** Collects every route that is registered after it into one OpenAPI 3.1 document. */
export async function describeRoutes(app: App): Promise<void> {
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
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(openApiText(app)),
  );
}

/** The document as it is committed: a change of it shows as a change of lines. */
export const openApiText = (app: App): string => `${JSON.stringify(app.swagger(), null, 2)}\n`;
