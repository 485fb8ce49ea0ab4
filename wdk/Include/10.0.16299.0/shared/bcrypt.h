/* Cryptography, next generation, as far as a driver asks for random numbers. Page "BCryptGenRandom". */
#pragma once

typedef PVOID BCRYPT_HANDLE;
typedef PVOID BCRYPT_ALG_HANDLE;

#define BCRYPT_USE_SYSTEM_PREFERRED_RNG 0x00000002

NTSTATUS __stdcall BCryptGenRandom(
    BCRYPT_ALG_HANDLE hAlgorithm, PUCHAR pbBuffer, ULONG cbBuffer, ULONG dwFlags);
