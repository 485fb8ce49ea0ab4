/* Safe string routines of the WDK. They are inline C and reach no binding; the file is here because wdk-sys includes it. */
#pragma once
