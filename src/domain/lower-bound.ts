/** The first place from 0 on that does not stand before what is looked for, of `count` of which those that do come first. */
export function lowerBound(count: number, standsBefore: (place: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (standsBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
