/* mclstexp report; holds other people's work, see licences.txt. Made by frontend/ from 73532647869e2b13eda58cf0c6b96e06713c84d31e1b64e6da57c9cc241fd91a. */
(()=>{console.log();})();
