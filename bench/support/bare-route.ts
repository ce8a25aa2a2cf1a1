/**
 * The allocate route as Fastify itself would serve it: the same schemas of headers, body and answer, checked and written by the
 * framework's own compilers, and the same answer, read from the argument; it decides and commits nothing. Prints its URL.
 */
import Fastify from 'fastify';
import { AllocationBody } from '../../src/api/allocation-schema.ts';
import { AllocateHeaders } from '../../src/api/schemas.ts';
import { answer, VIEWS } from '../../src/api/views.ts';

const lease = JSON.parse(process.argv[2]!) as { readonly id: string; readonly revision: number };
const app = Fastify();
for (const view of VIEWS) app.addSchema(view);
const schema = { headers: AllocateHeaders, body: AllocationBody, response: { 201: answer('Lease', 'Granted') } };
app.post('/v1/leases', { schema }, async (_request, reply) =>
  reply.code(201).header('location', `/v1/leases/${lease.id}`).header('etag', `"${lease.revision}"`).send(lease),
);
process.stdout.write(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
process.once('SIGTERM', () => process.exit(0));
