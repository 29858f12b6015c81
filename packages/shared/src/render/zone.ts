// In: the records of the private zone and a serial. Out: the text of the zone file. Pure.
// Same records and serial: same bytes. CoreDNS takes a changed file only when its serial differs.
import { WeftError } from "../errors/weft-error.ts";
import { familyOf, normaliseAddress } from "../model/address.ts";
import type { DnsRecord } from "../model/desired.ts";
import { isWithin, parseDomainName } from "./domain-name.ts";

/** Short, because a name must follow its service within seconds; the answers never leave the machine. */
const ttl = 5;
const maxSerial = 0xffff_ffff;

export function renderZone(zone: string, records: readonly DnsRecord[], serial: number): string {
  parseDomainName(zone);
  if (!Number.isInteger(serial) || serial < 1 || serial > maxSerial)
    throw new WeftError("WEFT-E003", `${serial} is no zone serial`, {
      hint: `a number from 1 to ${maxSerial}`,
    });
  const lines = new Set(records.map((record) => recordLine(zone, record)));
  // RFC 6303 section 3: a zone served to oneself names itself as its server and needs no host record for that
  return [
    "; written by weft-node-agent, which replaces it on every change",
    `${zone}. ${ttl} IN SOA ${zone}. nobody.invalid. ${serial} 60 30 3600 ${ttl}`,
    `${zone}. ${ttl} IN NS ${zone}.`,
    ...[...lines].sort((a, b) => (a < b ? -1 : 1)),
    "",
  ].join("\n");
}

/** The serial in a zone file of ours, or undefined when it is not one. */
export function serialOf(text: string): number | undefined {
  const serial = /^\S+ \d+ IN SOA \S+ \S+ (\d{1,10}) /m.exec(text)?.[1];
  return serial === undefined ? undefined : Number(serial);
}

function recordLine(zone: string, record: DnsRecord): string {
  parseDomainName(record.name);
  if (!isWithin(record.name, zone))
    throw new WeftError("WEFT-E003", `the record ${record.name} lies outside the zone ${zone}`);
  return `${record.name}. ${ttl} IN ${record.type} ${recordValue(record)}`;
}

function recordValue(record: DnsRecord): string {
  if (record.type === "SRV") return serviceValue(record);
  const address = normaliseAddress(record.value);
  if (address === undefined || familyOf(address) !== (record.type === "A" ? 4 : 6))
    throw new WeftError(
      "WEFT-E003",
      `${JSON.stringify(record.value)} is no value for ${record.type} ${record.name}`,
    );
  return address;
}

function serviceValue(record: DnsRecord): string {
  const match = /^(\d{1,5}) (\d{1,5}) (\d{1,5}) (\S+?)\.?$/.exec(record.value);
  const numbers = match?.slice(1, 4).map(Number);
  if (match?.[4] === undefined || numbers === undefined || numbers.some((value) => value > 0xffff))
    throw new WeftError("WEFT-E003", `${JSON.stringify(record.value)} is no value for SRV ${record.name}`, {
      hint: "PRIORITY WEIGHT PORT TARGET",
    });
  return `${numbers.join(" ")} ${parseDomainName(match[4])}.`;
}
