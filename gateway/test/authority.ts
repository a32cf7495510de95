// An authority of its own that signs certificates for 127.0.0.1, made by openssl in a given folder. For the tests of TLS.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Authority {
  /** PEM file of its certificate. */
  path: string;
  /** @param days until it expires; below 0 it has. `name`: for another address. */
  certificate(days?: number, name?: string): { key: string; cert: string };
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

export function authority(folder: string, name: string): Authority {
  const at = (file: string): string => join(folder, `${name}-${file}`);
  openssl(
    'req',
    '-x509',
    ...curve,
    '-days',
    '2',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    `/CN=${name}`,
  );
  return {
    path: at('ca.pem'),
    certificate(days = 2, address = 'IP:127.0.0.1') {
      const alternative = ['-addext', `subjectAltName=${address}`];
      openssl('req', ...curve, '-keyout', at('key'), '-out', at('csr'), '-subj', '/CN=database', ...alternative);
      const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-copy_extensions', 'copy'];
      openssl('x509', '-req', '-in', at('csr'), ...by, '-days', String(days), '-out', at('pem'));
      return { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('pem'), 'utf8') };
    },
  };
}
