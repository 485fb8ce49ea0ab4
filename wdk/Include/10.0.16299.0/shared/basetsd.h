/* Sized and pointer-sized integers. Windows data types: learn.microsoft.com, "Windows Data Types". */
#pragma once

typedef unsigned short UINT16;
typedef unsigned int UINT32;
typedef unsigned long long ULONG64;
typedef unsigned long long *PULONG64;
typedef unsigned long long ULONG_PTR;
typedef ULONG_PTR SIZE_T;
typedef ULONG_PTR KAFFINITY;
