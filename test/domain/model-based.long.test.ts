import { it } from 'vitest';
import { checkRandom } from './model-based.ts';

it('a million random commands never lead to a state that may not be', () => {
  checkRandom(1_000_000, process.env);
});
