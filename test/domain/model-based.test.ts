import { it } from 'vitest';
import { checkRandom } from './model-based.ts';

it('random commands never lead to a state that may not be', () => {
  checkRandom(50_000, process.env);
});
