import helmet from '@fastify/helmet';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { SECURITY_HEADERS } from '../../src/api/http/security-headers.ts';

const OURS = ['content-length', 'date', 'connection'];

test("the security headers are helmet's for answers that are data", async () => {
  const app = Fastify();
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'self'"] } },
    crossOriginOpenerPolicy: false,
    referrerPolicy: false,
    strictTransportSecurity: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
  app.get('/', (_request, reply) => reply.send());
  const { headers } = await app.inject('/');
  for (const name of OURS) delete headers[name];
  expect(SECURITY_HEADERS).toEqual(headers);
});
