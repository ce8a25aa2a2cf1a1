import type { LeaseView } from '../../../src/model/views.ts';
import type { Asked } from './acks.ts';
import type { Held, Pool } from './load.ts';

/** A pool over plain HTTP. Throws the problem that it is answered with; a connection that breaks has the code GONE. */
export class HttpPool implements Pool {
  readonly #url: string;

  constructor(url: string) {
    this.#url = `${url}/v1`;
  }

  async allocate({ key, name, memory }: Asked): Promise<Held> {
    const body = { id: name, requirements: { memory }, waitMs: 20 };
    return heldOf(await this.#call('POST', '/leases', body, { 'idempotency-key': key }));
  }

  async renew({ leaseId, token }: Held): Promise<void> {
    await this.#call('POST', `/leases/${leaseId}/renew`, { token });
  }

  async release({ leaseId, token }: Held): Promise<void> {
    await this.#call('POST', `/leases/${leaseId}/release`, { token });
  }

  async live(): Promise<Held[]> {
    const { items } = await this.#call<{ items: LeaseView[] }>('GET', '/leases?state=active&limit=1000');
    return items.map(heldOf);
  }

  async find(leaseId: string): Promise<Held> {
    return heldOf(await this.#call('GET', `/leases/${leaseId}`));
  }

  async #call<T = LeaseView>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const sent = { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) };
    let answer: Response;
    let said: unknown;
    try {
      answer = await fetch(this.#url + path, { method, headers: sent, ...(body && { body: JSON.stringify(body) }) });
      said = await answer.json();
    } catch (cause) {
      throw Object.assign(new Error('the connection broke', { cause }), { code: 'GONE' });
    }
    if (!answer.ok) throw Object.assign(new Error(JSON.stringify(said)), said);
    return said as T;
  }
}

const heldOf = ({ id, token }: LeaseView): Held => ({ leaseId: id, token });
