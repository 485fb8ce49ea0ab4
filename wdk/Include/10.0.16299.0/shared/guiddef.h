/* GUID: function reference page "GUID (guiddef.h)". */
#pragma once

typedef struct _GUID {
    unsigned long Data1;
    unsigned short Data2;
    unsigned short Data3;
    unsigned char Data4[8];
} GUID;

