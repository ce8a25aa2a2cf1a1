import { HandlerException } from '../grpc/status.ts';

/** The form that clients send. */
const PLAIN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const PARTS = /^([\da-f]{8})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{12})$/i;
const BRACKETS: Readonly<Record<string, string>> = { '{': '}', '(': ')' };
const SHORTEST = 32;
const DASHED = 36;

export const EMPTY_UUID = '00000000-0000-0000-0000-000000000000';

/** The uuid in small letters with dashes, of any form that .NET's Guid.Parse understands but the hexadecimal ones. */
export function parseUuid(text: string): string {
  if (PLAIN.test(text)) return text;
  const digits = withoutBrackets(text.trim());
  const parts = PARTS.exec(digits);
  if (parts === null) throw new HandlerException('Guid string should only contain hexadecimal characters.');
  return parts.slice(1).join('-').toLowerCase();
}

/** What is between the brackets, if there are any; its length and its dashes are right. */
function withoutBrackets(text: string): string {
  if (text.length < SHORTEST) throw new HandlerException('Unrecognized Guid format.');
  const close = BRACKETS[text[0]!];
  if (close === '}' && !text.includes('-')) throw new HandlerException('Expected 0x prefix.');
  const digits = close !== undefined && text.endsWith(close) ? text.slice(1, -1) : text;
  if (close === undefined && !text.includes('-') && digits.length === SHORTEST) return digits;
  if (digits.length !== DASHED) throw new HandlerException(WRONG_LENGTH);
  if (![8, 13, 18, 23].every((place) => digits[place] === '-')) {
    throw new HandlerException('Dashes are in the wrong position for GUID parsing.');
  }
  return digits;
}

const WRONG_LENGTH = 'Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).';

/** A structured uuid: its 16 bytes, big endian, as two signed 64-bit decimal texts. */
export function uuidFromHalves(mostSignificant: string, leastSignificant: string): string {
  const hex = [mostSignificant, leastSignificant].map((half) =>
    BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0'),
  );
  return dashed(hex.join(''));
}

export function uuidHalves(uuid: string): { mostSignificant: string; leastSignificant: string } {
  const hex = uuid.replaceAll('-', '');
  const signed = (half: string) => BigInt.asIntN(64, BigInt(`0x${half}`)).toString();
  return { mostSignificant: signed(hex.slice(0, 16)), leastSignificant: signed(hex.slice(16)) };
}

/** 32 hexadecimal digits in groups of 8-4-4-4-12. */
export const dashed = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
