const SLOTS = 16_384;
/** CRC-16/XMODEM, as Redis Cluster uses it. */
const POLYNOMIAL = 0x1021;

/** Returns the Redis Cluster slot of a key: of what is in its first braces, if anything. */
export function slotOf(key: string): number {
  const [, tag] = /^[^{]*\{([^}]+)\}/.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag ?? key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? POLYNOMIAL : 0)) & 0xffff;
  }
  return crc % SLOTS;
}
