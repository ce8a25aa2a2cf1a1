import { HandlerException } from '../grpc/status.ts';

/** The form that clients send. */
const PLAIN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HEX = /^[0-9a-f]{32}$/i;
/** The text forms that .NET's Guid.Parse understands: N, D, B and P. */
const FORMS = [
  /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i,
  /^\{([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}$/i,
  /^\(([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\)$/i,
];

export const EMPTY_UUID = '00000000-0000-0000-0000-000000000000';

/** The uuid in small letters with dashes. Throws for text that is none. */
export function parseUuid(text: string): string {
  if (PLAIN.test(text)) return text;
  const trimmed = text.trim();
  const parts = HEX.test(trimmed) ? ['', ...dashed(trimmed).split('-')] : matchOf(trimmed);
  if (parts === undefined) throw new HandlerException('Unrecognized Guid format.');
  return parts.slice(1).join('-').toLowerCase();
}

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

function matchOf(text: string): string[] | undefined {
  for (const form of FORMS) {
    const match = form.exec(text);
    if (match) return match;
  }
  return undefined;
}
