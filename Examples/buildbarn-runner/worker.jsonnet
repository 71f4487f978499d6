// The part of bb_worker's configuration that has to do with the runner; the rest is as with bb_runner.
{
  // Another user than the worker's runs the actions, and writes their outputs.
  global: { setUmask: { umask: 0 } },
  buildDirectories: [{
    native: {
      buildDirectoryPath: '/var/lib/buildbarn/build',  // nsrun-runner --build-directory
      cacheDirectoryPath: '/var/lib/buildbarn/cache',
      maximumCacheFileCount: 100000,
      maximumCacheSizeBytes: 10 * 1024 * 1024 * 1024,
      cacheReplacementPolicy: 'LEAST_RECENTLY_USED',
    },
    runners: [{
      endpoint: { address: 'unix:///run/nsrun-runner/socket' },  // nsrun-runner --socket
      concurrency: 8,
      platform: { properties: [{ name: 'OSFamily', value: 'Linux' }] },
      workerId: { hostname: 'worker-1' },
    }],
  }],
}
