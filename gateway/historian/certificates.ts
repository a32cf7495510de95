// Whom the gateway believes to be a database: the authority's file, and in words what is wrong with the certificate shown.
// Used by both databases' connections; the certificate itself is checked by Node.
import { readFile } from 'node:fs/promises';

/** The authority's PEM, as it is now; undefined: the system's. Rejects with a sentence. */
export async function authorityOf(path: string): Promise<string | undefined> {
  if (path === '') return undefined;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'failed' } = error as NodeJS.ErrnoException;
    throw new Error(`the authority's certificate ${path} cannot be read: ${code}`, { cause: error });
  }
  // Node takes a file without any for an empty list, and then refuses everybody.
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error(`the authority's certificate ${path} is no PEM file of a certificate`);
  return text;
}

const unknown = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
];

/**
 * What is wrong and whose turn it is, as the end of a sentence; empty when it is not the certificate.
 * @param setting where the authority's file is named
 */
export function certificateFault(error: unknown, setting: string): string {
  if (!(error instanceof Error)) return '';
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (unknown.includes(code))
    return `shows a certificate of an authority that is not trusted (${message}): name the authority's PEM file in ${setting}`;
  if (code === 'CERT_HAS_EXPIRED')
    return 'shows a certificate that has expired: renew it there, or correct the clock of this machine';
  if (code === 'CERT_NOT_YET_VALID')
    return 'shows a certificate that is not valid yet: correct the clock of this machine';
  if (code === 'CERT_REVOKED') return 'shows a certificate that was revoked: renew it there';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `shows a certificate for another name (${message}): address it by a name in its certificate`;
  if (/wrong version number|packet length too long/i.test(message)) return 'does not speak TLS on this port';
  return '';
}
