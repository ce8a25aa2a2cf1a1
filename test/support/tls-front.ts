import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';

const file = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** The authority that has signed the certificate of `startTlsFront`; in force for a hundred years. */
export const CA_FILE = file('ca.crt');

/** Speaks TLS on 127.0.0.1 for a server that does not, such as the test server. */
export async function startTlsFront(target: { readonly host: string; readonly port: number }) {
  const sockets = new Set<Socket>();
  const options = {
    key: readFileSync(file('server.key')),
    cert: readFileSync(file('server.crt')),
    ALPNProtocols: ['h2'],
  };
  const server = createServer(options, (client) => {
    const behind = connect(target.port, target.host);
    sockets.add(client).add(behind);
    client.pipe(behind).pipe(client);
    for (const socket of [client, behind]) socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
