/* C runtime base types, as far as the kernel headers beside this directory use them. */
#pragma once

typedef unsigned short wchar_t;
