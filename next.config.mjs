/**
 * The console runs as a plain `next start` behind the gate, which owns the port, compression and the outer
 * headers. Headers here are the floor for every answer, static files included; the per-request
 * Content-Security-Policy with its nonce is set in proxy.ts.
 *
 * @type {import('next').NextConfig}
 */
const config = {
  poweredByHeader: false,
  reactStrictMode: true,
  // `npm test` checks the types of everything at once; a start need not do it again.
  typescript: { ignoreBuildErrors: true },
  compress: false,
  productionBrowserSourceMaps: false,
  // Pages answer 403 with a page of their own: app/forbidden.tsx.
  experimental: { authInterrupts: true },
  allowedDevOrigins: ['countersign.localhost'],
  serverExternalPackages: [
    'pg',
    '@prisma/client',
    '@prisma/adapter-pg',
    '@prisma/driver-adapter-utils',
    '@cedar-policy/cedar-wasm',
    'graphile-worker',
    'nodemailer',
    'pino',
    'prom-client',
    'undici',
  ],
  async headers() {
    return [
      {
        source: '/:path*',
        headers: [
          { key: 'X-Content-Type-Options', value: 'nosniff' },
          { key: 'X-Frame-Options', value: 'DENY' },
          // Not `no-referrer`: that makes browsers send `Origin: null` with a plain form, which the
          // same-origin check of every mutation refuses. Nothing is told to any other origin either way.
          { key: 'Referrer-Policy', value: 'same-origin' },
          { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
          { key: 'Cross-Origin-Resource-Policy', value: 'same-origin' },
          {
            key: 'Permissions-Policy',
            value:
              'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()',
          },
        ],
      },
    ];
  },
};

export default config;
