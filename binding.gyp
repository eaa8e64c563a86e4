# For those who build with node-gyp; `npm run build:native` (cmake-js) is the way that is released.
{
  'variables': {
    'headers': '<!(node scripts/headers.mjs)',
    'flags': ['-std=c++17', '-Wall', '-Wextra', '-fvisibility=hidden', '-fvisibility-inlines-hidden'],
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags_cc': ['<@(flags)'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'ldflags': ['-Wl,-z,nodelete'],
  },
  'targets': [
    {
      'target_name': 'flavr',
      'sources': ['<!@(ls native/binding/*.cc native/engine/*.cc native/cuda/*.cc)'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': [
        'NAPI_VERSION=9',
        'NAPI_CPP_EXCEPTIONS',
        'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'libraries': ['-ldl', '-pthread'],
      'dependencies': ['flavr-tensorrt-10', 'flavr-tensorrt-11', 'flavr-tensorrt-rtx'],
    },
    {
      'target_name': 'flavr-tensorrt-10',
      'type': 'shared_library',
      'product_dir': '<(PRODUCT_DIR)',
      'product_extension': 'so',
      'product_prefix': '',
      'sources': ['<!@(ls native/family/*.cc)'],
      'include_dirs': ['<(headers)/10'],
      'defines': ['FLAVR_FAMILY_10=1'],
    },
    {
      'target_name': 'flavr-tensorrt-11',
      'type': 'shared_library',
      'product_dir': '<(PRODUCT_DIR)',
      'product_extension': 'so',
      'product_prefix': '',
      'sources': ['<!@(ls native/family/*.cc)'],
      'include_dirs': ['<(headers)/11'],
      'defines': ['FLAVR_FAMILY_11=1'],
    },
    {
      'target_name': 'flavr-tensorrt-rtx',
      'type': 'shared_library',
      'product_dir': '<(PRODUCT_DIR)',
      'product_extension': 'so',
      'product_prefix': '',
      'sources': ['<!@(ls native/family/*.cc)'],
      'include_dirs': ['<(headers)/rtx'],
      'defines': ['FLAVR_FAMILY_RTX=1'],
    },
  ],
}
