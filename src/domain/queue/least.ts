import type { RequestSpec } from '../../model/request.ts';
import type { Amounts } from '../../model/values/amounts.ts';

/** What a request with a minimum must get at least, in every dimension it names. */
export const leastOf = ({ amounts, minimum }: RequestSpec): Amounts =>
  minimum === null ? amounts : { ...amounts, ...minimum };
