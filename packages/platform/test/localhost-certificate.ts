/** A certificate for localhost that signs itself, valid for a hundred years, with its key: known to everybody, good for tests only. */
export const localhostCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUIWCYvJHEfn3UXdtC88p64fPo1DgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA1MjcwOFoYDzIxMjYxMDI5
MDUyNzA4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATk3GX5XHQgCkuwuucuUxZ6uJTwWjY7jbuvJKRgAEeZZL2ZI+vwzro4
M9nspJSMT7ckvEBAJByMwVV9NvLkBvEMo28wbTAdBgNVHQ4EFgQUe6YFSuZO9Bil
Kev3SvZzr/xrBrYwHwYDVR0jBBgwFoAUe6YFSuZO9BilKev3SvZzr/xrBrYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIga/ZbbgT1kZsElyKT4qBykpkKCXKvr+p++zPY37bBN1MCIQDs
LPr1n43fzOXibauZdsIqhkIVcDfHhROW32I8gD4WPA==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxcqi7UpLq84FTbZg
2uJvnMSBjhpvBlHiY4BL3lJOrZehRANCAATk3GX5XHQgCkuwuucuUxZ6uJTwWjY7
jbuvJKRgAEeZZL2ZI+vwzro4M9nspJSMT7ckvEBAJByMwVV9NvLkBvEM
-----END PRIVATE KEY-----
`,
};
