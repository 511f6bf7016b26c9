import { ChevronRight } from 'lucide-react';
import { redirectPresets } from '#lib/registration/redirect-presets.ts';

/** How known clients come back after the sign-in, for whoever has to judge one. */
export function RedirectPresets() {
  return (
    <details className="group/presets rounded-md border border-line">
      <summary className="flex min-h-10 cursor-pointer list-none items-center gap-2 rounded-md px-3 py-2 text-sm hover:bg-hover">
        <ChevronRight
          aria-hidden
          className="size-4 shrink-0 text-fg-3 transition-transform group-open/presets:rotate-90"
        />
        Where known clients come back after the sign-in
      </summary>
      <ul className="grid gap-3 border-line border-t p-3">
        {redirectPresets.map((preset) => (
          <li key={preset.client} className="grid gap-1 text-sm">
            <span className="font-medium">{preset.client}</span>
            <span className="text-fg-2 text-xs">{preset.explanation}</span>
            {preset.redirectUris.map((uri) => (
              <code key={uri} className="break-all text-xs">
                {uri}
              </code>
            ))}
            <span className="text-fg-3 text-xs">
              {preset.metadataUrl ? (
                <>
                  Publishes <code className="break-all">{preset.metadataUrl}</code>, and registers itself
                  where that is not read.
                </>
              ) : (
                'Publishes no document: it registers itself when it connects.'
              )}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
